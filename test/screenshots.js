// `npm run screenshots [folder] [pages]`: a PNG of each page of the web app, wide and narrow, light
// and dark, to be looked at. `pages` is a regular expression of pages' names. Builds, and brings
// Docker and Chromium, as the tests do.
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { installTools, must, startDocker } from "./prepare.js";

await must("Install and build", process.execPath, ["server/start.js", "--build-only", "--yes"]);
await installTools();
await startDocker();

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

// The helper is TypeScript, and `npm start` does not build the tests.
const bundled = path("../dist/test/helpers/screenshots.js");
const { build } = await import("rolldown");
await build({
  input: path("helpers/screenshots.ts"),
  platform: "node",
  // `await using` is not of Node 20 yet.
  transform: { target: "node20" },
  external: /^[a-z@](?!oxc-project)/,
  logLevel: "warn",
  output: { file: bundled, format: "esm" },
});
const { takeScreenshots } = await import(bundled);

const [folder = await mkdtemp(join(tmpdir(), "oneloop-screenshots-")), pages = ""] =
  process.argv.slice(2);
await takeScreenshots(folder, {
  only: new RegExp(pages),
  onShot: (file) => console.log(file),
});
