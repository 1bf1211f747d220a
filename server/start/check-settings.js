// Plain JavaScript, because it runs before the product is built.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { isBuilt } from "./build.js";

/**
 * Refuses wrong settings before anything is built, which would take a minute first. They are read as
 * the sources say now: by what is built, where that was made from them, else by a bundle of the few
 * files that are needed for it. Runs when the dependencies are there, as these files have some.
 */
export async function checkSettings({ root, steps }) {
  await steps.run("Settings", async () => {
    const { settingsOfStart } = await import(
      isBuilt(root, "types")
        ? pathToFileURL(join(root, "dist/server/start/settings.js")).href
        : await bundled(join(root, "server/start/settings.ts"))
    );
    settingsOfStart(process.env);
  });
}

/** @returns a URL to import. */
async function bundled(file) {
  const { build } = await import("rolldown");
  const { output } = await build({
    input: file,
    platform: "node",
    resolve: { conditionNames: ["node", "import"] },
    // `using` is beyond Node 20.
    transform: { target: "node20" },
    logLevel: "warn",
    output: { format: "esm" },
    write: false,
  });
  return `data:text/javascript;base64,${Buffer.from(output[0].code).toString("base64")}`;
}
