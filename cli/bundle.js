// One file for `loop`: resolving hundreds of modules would cost each call more than the work does.
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

await build({
  input: path("src/main.ts"),
  platform: "node",
  resolve: { conditionNames: ["node", "import"] },
  logLevel: "warn",
  output: {
    file: path("../dist/cli/main.js"),
    format: "esm",
    codeSplitting: false,
    sourcemap: true,
  },
});
