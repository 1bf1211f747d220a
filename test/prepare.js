// What the tests and the benchmarks need beside Node, brought as root on Debian. Plain JavaScript:
// it runs before anything is built.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** What is driven for real, and the Debian package that has it. */
const tools = [
  { program: "git", package: "git" },
  { program: "ssh", package: "openssh-client" },
  { program: "sftp", package: "openssh-client" },
  { program: "/usr/lib/openssh/sftp-server", package: "openssh-sftp-server" },
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

/** @returns the exit code of a program whose output is ours. */
export function run(program, programArgs) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, programArgs, { cwd: root, stdio: "inherit" });
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}

/** Runs a program, and ends the process where it fails. */
export async function must(what, program, programArgs) {
  console.log(`\n— ${what}`);
  const code = await run(program, programArgs);
  if (code !== 0) {
    console.error(`\n${what} failed with ${code}.`);
    process.exit(1);
  }
}

function isInstalled(program) {
  if (program.startsWith("/")) return existsSync(program);
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.some((folder) => existsSync(join(folder, program)));
}

/** Installs what is missing; without root or Debian it names it, and ends the process. */
export async function installTools() {
  const missing = tools.filter(({ program }) => !isInstalled(program));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((tool) => tool.package))];
  if (process.getuid?.() !== 0 || !existsSync("/etc/debian_version")) {
    console.error(`This needs ${packages.join(", ")}. Install them, then run it again.`);
    process.exit(1);
  }
  const env = "DEBIAN_FRONTEND=noninteractive";
  await must("Package lists", "env", [env, "apt-get", "update", "-q"]);
  await must(`Installing ${packages.join(", ")}`, "env", [
    ...[env, "apt-get", "install", "-q", "-y", "--no-install-recommends", ...packages],
  ]);
}

/**
 * Starts a Docker engine where none answers: as `npm start` does it, with its own words. Needs the
 * build. The installations of tests and benchmarks then find it running.
 */
export async function startDocker() {
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
