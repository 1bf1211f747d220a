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
const { buildGovappImages, createGovappRepository } = await import(bundled);

const xdgData = process.env.XDG_DATA_HOME ?? join(homedir(), ".local", "share");
const defaultDataDir = process.getuid?.() === 0 ? "/var/lib/oneloop" : join(xdgData, "oneloop");
const dataDir = process.env.ONELOOP_DATA_DIR || defaultDataDir;

const socketPath = (process.env.DOCKER_HOST || "unix:///var/run/docker.sock").replace(
  /^unix:\/\//,
  "",
);
try {
  await buildGovappImages(new Docker({ socketPath }), {
    onProgress: (line) => console.error(line),
  });
} catch (error) {
  console.error(error.message);
  process.exit(2);
}
const { url } = await createGovappRepository(join(dataDir, "sample"));
console.log(`Ready. Open it:\n\n  npx loop open ${url}\n`);
