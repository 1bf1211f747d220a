// A few files for `loop`: resolving hundreds of modules would cost each call more than the work
// does, and so would compiling the commands that are not called. All lie in one folder, so that
// the package's folder is two above each of them, as it is above `cli/src`.
import { readdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const folder = path("../dist/cli");

const before = new Set(builtFiles());
const { output } = await build({
  input: path("src/main.ts"),
  platform: "node",
  resolve: { conditionNames: ["node", "import"] },
  // `using` is beyond Node 20.
  transform: { target: "node20" },
  logLevel: "warn",
  output: {
    dir: folder,
    entryFileNames: "main.js",
    chunkFileNames: "[name]-[hash].js",
    format: "esm",
    sourcemap: true,
  },
});
for (const { fileName } of output) before.delete(fileName);
for (const stale of before) rmSync(`${folder}/${stale}`);

function builtFiles() {
  try {
    return readdirSync(folder).filter((name) => /\.js(\.map)?$/.test(name));
  } catch {
    return [];
  }
}
