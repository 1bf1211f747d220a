// `npm test`. Plain JavaScript up to the point where the dependencies are installed: it installs,
// builds, brings what the tests need beside Node (as root on Debian), checks, and runs all tests.
//
//   npm test                 everything
//   npm test -- unit         the unit tests
//   npm test -- real         the conformance and end-to-end tests
//   npm test -- FILE …       these files
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const args = process.argv.slice(2);
const unitOnly = args.length === 1 && args[0] === "unit";
const everything = args.length === 0;

/** What the real tests drive, and the Debian package that has it. */
const tools = [
  { program: "git", package: "git" },
  { program: "ssh", package: "openssh-client" },
  { program: "sftp", package: "openssh-client" },
  { program: "rsync", package: "rsync" },
  { program: "sshfs", package: "sshfs" },
  { program: "curl", package: "curl" },
  { program: "chromium", package: "chromium" },
  { program: "ip", package: "iproute2" },
  { program: "zsh", package: "zsh" },
  { program: "fish", package: "fish" },
  { program: "nginx", package: "nginx-light" },
  { program: "docker-compose", package: "docker-compose" },
  { program: "docker-registry", package: "docker-registry" },
  { program: "kubectl", package: "kubernetes-client" },
];

function run(program, programArgs) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, programArgs, { cwd: root, stdio: "inherit" });
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}

async function must(what, program, programArgs) {
  console.log(`\n— ${what}`);
  const code = await run(program, programArgs);
  if (code !== 0) {
    console.error(`\n${what} failed with ${code}.`);
    process.exit(1);
  }
}

function isInstalled(program) {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.some((folder) => existsSync(join(folder, program)));
}

async function installTools() {
  const missing = tools.filter(({ program }) => !isInstalled(program));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((tool) => tool.package))];
  if (process.getuid?.() !== 0 || !existsSync("/etc/debian_version")) {
    console.error(`The tests need ${packages.join(", ")}. Install them, then run npm test again.`);
    process.exit(1);
  }
  const env = "DEBIAN_FRONTEND=noninteractive";
  await must("Package lists", "env", [env, "apt-get", "update", "-q"]);
  await must(`Installing ${packages.join(", ")}`, "env", [
    ...[env, "apt-get", "install", "-q", "-y", "--no-install-recommends", ...packages],
  ]);
}

await must("Install and build", process.execPath, ["server/start.js", "--build-only", "--yes"]);
if (everything) await must("npm run check", "npm", ["run", "--silent", "check"]);
if (!unitOnly) await installTools();

if (!unitOnly) {
  // As `npm start` does it, with its own words; the tests' installations then find it running.
  const { ensureDocker } = await import("../dist/server/start/docker.js");
  const { systemExecer } = await import("../dist/server/util/execer.js");
  const { readSettings } = await import("../dist/server/util/settings.js");
  console.log("\n— Docker engine");
  const found = await ensureDocker({
    dockerHost: readSettings(process.env).DOCKER_HOST,
    execer: systemExecer,
    logFile: join(tmpdir(), "oneloop-test-dockerd.log"),
    yes: true,
    ask: () => Promise.resolve(true),
    say: (line) => console.log(line),
  });
  console.log(found);
}

const folder = mkdtempSync(join(tmpdir(), "oneloop-results-"));
const results = join(folder, "results.json");
console.log("\n— Tests");
/** By the word of the command line, the projects of vitest.config.ts. */
const projects = { unit: ["unit"], real: ["real", "alone"] };
const selection = args.flatMap(
  (arg) => projects[arg]?.flatMap((project) => ["--project", project]) ?? [arg],
);
const code = await run(process.execPath, [
  ...["node_modules/vitest/vitest.mjs", "run", "--reporter=default", "--reporter=json"],
  ...[`--outputFile.json=${results}`, ...selection],
]);
if (!existsSync(results)) process.exit(code === 0 ? 1 : code);
const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(
  readFileSync(results, "utf8"),
);
rmSync(folder, { recursive: true });
console.log(`\n${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`);
process.exit(code);
