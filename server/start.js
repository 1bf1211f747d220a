// `npm start`. Plain JavaScript without dependencies up to the point where they are installed and
// built; from there on it is dist/server/start/index.js.
import { parseArgs } from "node:util";
import { fileURLToPath, pathToFileURL } from "node:url";
import { join } from "node:path";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The oldest Node that Vite 8 and the other tools run on. */
const oldestNode = [20, 19];

const usage = `Usage: npm start -- [--yes] [--build-only]

  --yes         Ask nothing: install what is missing, and say so. CI=true does the same.
  --build-only  Install the dependencies, build, and stop.`;

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1])) {
  console.error(
    `Oneloop needs Node ${oldestNode.join(".")} or newer, and this is Node ${process.versions.node}. ` +
      "Install a newer one (https://nodejs.org), then run npm start again.",
  );
  process.exit(1);
}

let flags;
try {
  flags = parseArgs({
    options: {
      yes: { type: "boolean", default: false },
      "build-only": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  }).values;
} catch (error) {
  console.error(`${error.message}\n\n${usage}`);
  process.exit(2);
}
if (flags.help) {
  console.log(usage);
  process.exit(0);
}

// After the check: these files may use what an old Node does not have.
const { createSteps } = await import("./start/steps.js");
const { build, installDependencies } = await import("./start/build.js");
const { checkSettings } = await import("./start/check-settings.js");

/** For what is still written to a pipe. */
const endGraceMs = 5_000;

const steps = createSteps(process.stdout);
const yes = flags.yes || process.env.CI === "true";
try {
  await installDependencies({ root, steps });
  if (!flags["build-only"]) await checkSettings({ root, steps });
  await build({ root, steps });
  if (!flags["build-only"]) {
    const entry = pathToFileURL(join(root, "dist/server/start/index.js")).href;
    const { start } = await import(entry);
    await start({ root, steps, yes });
  }
} catch (error) {
  steps.fail(error);
  process.exitCode = 1;
}
// All is ended. A handle that somebody forgot must not keep the process, and whoever waits for it.
setTimeout(() => {
  console.error(`Still open at the end: ${process.getActiveResourcesInfo().join(", ")}`);
  process.exit();
}, endGraceMs).unref();
