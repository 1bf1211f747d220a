// Dependencies and builds, each made only when its inputs changed. Plain JavaScript, because it runs
// before the dependencies exist.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { StepFailure } from "./steps.js";
import { fileDigest, installedMatchesLock, isFresh, stampOf, writeStamp } from "./stamps.js";

/** What every build depends on beside its own sources. */
const common = ["package.json", "tsconfig.base.json"];

const builds = [
  {
    name: "types",
    title: "Compiling the control plane",
    // Not the whole solution: tests and the web are not needed to start.
    command: ["node_modules/typescript/bin/tsc", "-b", "server", "workspace-image", "cli"],
    inputs: ["server", "workspace-image", "cli"],
    output: "dist/server/start/index.js",
  },
  {
    name: "supervisor",
    title: "Bundling the supervisor",
    command: ["workspace-image/bundle.js"],
    inputs: ["workspace-image", "server/protocol", "server/util"],
    output: "dist/supervisor",
  },
  {
    name: "cli",
    title: "Bundling the command line",
    command: ["cli/bundle.js"],
    inputs: ["cli", "server"],
    output: "dist/cli/main.js",
  },
  {
    name: "web",
    title: "Building the web app",
    command: ["node_modules/vite/bin/vite.js", "build", "web"],
    // Its API types come from the server, but types do not reach the output.
    inputs: ["web", "server/protocol"],
    output: "dist/web/index.html",
  },
];

/**
 * Installs what package-lock.json says where node_modules does not hold it. Not by `npm ci`: that
 * refuses a lock file without the optional binaries of every other platform, and not every registry
 * has them all. Nothing is saved, so that the lock file stays as it is.
 */
export async function installDependencies({ root, steps }) {
  await steps.run("Dependencies", async ({ say, note }) => {
    const stamp = fileDigest(join(root, "package-lock.json"));
    const file = join(root, "node_modules/.oneloop-stamp");
    if (isFresh({ file, stamp, output: join(root, "node_modules") })) {
      note("up to date");
      return;
    }
    if (installedMatchesLock(root)) {
      writeStamp(file, stamp);
      note("up to date");
      return;
    }
    const npm = process.env.npm_execpath;
    const install = ["install", "--no-save", "--include=dev", "--no-audit", "--no-fund"];
    await run([...(npm === undefined ? ["npm"] : [process.execPath, npm]), ...install], {
      root,
      say,
      advice:
        "npm could not install the dependencies. Mend what it says above, then run npm start again.",
    });
    writeStamp(file, stamp);
    note("installed");
  });
}

/** Builds what changed since the last time, in order: each may use what the ones before made. */
export async function build({ root, steps }) {
  const stale = await steps.run("Build", async ({ note }) => {
    const found = findStale(root);
    note(found.length === 0 ? "up to date" : `to do: ${found.map(({ name }) => name).join(", ")}`);
    return found;
  });
  for (const { title, command, file, stamp } of stale) {
    await steps.run(title, async ({ say }) => {
      await run([process.execPath, ...command], {
        root,
        say,
        advice: `${title} failed (node ${command.join(" ")}). The output above says why.`,
      });
      writeStamp(file, stamp);
    });
  }
}

/** Whether one of the builds is there, made from what its sources are now. */
export function isBuilt(root, name) {
  return findStale(root, [name]).length === 0;
}

function findStale(root, names = builds.map(({ name }) => name)) {
  const lock = fileDigest(join(root, "package-lock.json"));
  const looked = builds.filter(({ name }) => names.includes(name));
  return looked.flatMap((one) => {
    const stamp = stampOf(root, { inputs: [...common, ...one.inputs], extra: lock });
    const file = join(root, "dist", `.stamp-${one.name}`);
    const fresh = isFresh({ file, stamp, output: join(root, one.output) });
    return fresh ? [] : [{ ...one, stamp, file }];
  });
}

async function run([program, ...args], { root, say, advice }) {
  // Whoever calls, what is built is the product: a test runner's NODE_ENV=test would bundle React's
  // development version.
  const env = { ...process.env, NODE_ENV: "production" };
  const child = spawn(program, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  const output = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      output.push(line);
      say(line);
    });
  }
  const end = await new Promise((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => resolve(code === 0 ? null : `exit ${code ?? signal}`));
  });
  if (end !== null) throw new StepFailure(advice, { output: [...output, end] });
}
