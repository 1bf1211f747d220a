// `npm run sample`: GovApp's images and repository, for the first five minutes with Oneloop.
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Docker from "dockerode";
import { build } from "rolldown";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

// The helper is TypeScript, and `npm start` does not build the tests.
const bundled = path("../dist/test/helpers/govapp.js");
await build({
  input: path("helpers/govapp.ts"),
  platform: "node",
  external: /^[^./]/,
  logLevel: "warn",
  output: { file: bundled, format: "esm" },
});
const { buildGovappImages, createGovappRepository, govappImages } = await import(bundled);

/** What its Kubernetes manifests name: the release that production runs. */
const released = "1.4.0";

const xdgData = process.env.XDG_DATA_HOME ?? join(homedir(), ".local", "share");
const defaultDataDir = process.getuid?.() === 0 ? "/var/lib/oneloop" : join(xdgData, "oneloop");
const dataDir = process.env.ONELOOP_DATA_DIR || defaultDataDir;

const socketPath = (process.env.DOCKER_HOST || "unix:///var/run/docker.sock").replace(
  /^unix:\/\//,
  "",
);
const docker = new Docker({ socketPath });
try {
  await buildGovappImages(docker, { onProgress: (line) => console.error(line) });
  for (const image of Object.keys(govappImages)) {
    const [repo] = image.split(":");
    await docker.getImage(image).tag({ repo, tag: released });
  }
} catch (error) {
  console.error(error.message);
  process.exit(2);
}
const { url } = await createGovappRepository(join(dataDir, "sample"));
console.log(`Ready. Open it, alone or with what production runs around it:

  npx loop open ${url}
  npx loop open ${url} --mirror k8s/
`);
