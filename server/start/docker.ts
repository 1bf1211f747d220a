import { readFileSync } from "node:fs";
import { open, mkdir, readFile, readlink, rm, stat } from "node:fs/promises";
import { get } from "node:http";
import { basename, dirname } from "node:path";
import { OneloopError } from "../protocol/errors.ts";
import type { Execer } from "../util/execer.ts";
import { watchFolder } from "./watch-folder.ts";

/** What is known of the engine and of this machine before anything is done. */
export interface DockerFacts {
  /** What a ping over the socket gave. */
  readonly ping: "answers" | "nobody" | "forbidden";
  readonly socketPath: string;
  /** That is where an engine of this machine listens: the operator names no other. */
  readonly standardSocket: boolean;
  readonly root: boolean;
  /** Debian or a child of it, such as Ubuntu: apt installs packages. */
  readonly debian: boolean;
  readonly installed: boolean;
  /** systemd runs this machine, and would run the engine. */
  readonly systemd: boolean;
  /** The operator said beforehand that nothing shall be asked. */
  readonly yes: boolean;
}

export type DockerDecision =
  | { readonly do: "nothing" }
  | { readonly do: "start"; readonly by: "systemd" | "dockerd" }
  | { readonly do: "install"; readonly ask: boolean; readonly by: "systemd" | "dockerd" }
  | { readonly do: "refuse"; readonly message: string };

const defaultSocket = "/var/run/docker.sock";
const installCommand = "apt-get install -y --no-install-recommends docker.io iptables";

/** What to do about the engine; the table that docker.test.ts walks through. */
export function decideDocker(facts: DockerFacts): DockerDecision {
  const by = facts.systemd ? "systemd" : "dockerd";
  if (facts.ping === "answers") return { do: "nothing" };
  if (facts.ping === "forbidden") {
    return {
      do: "refuse",
      message:
        `Your user may not use the Docker engine at ${facts.socketPath}. ` +
        'Run `sudo usermod -aG docker "$USER"`, sign in again, and run npm start again.',
    };
  }
  if (!facts.standardSocket) {
    return {
      do: "refuse",
      message:
        `No Docker engine answers at ${facts.socketPath}, which DOCKER_HOST names. ` +
        `Start that engine, or unset DOCKER_HOST to use the one at ${defaultSocket}.`,
    };
  }
  if (facts.installed) {
    if (facts.root) return { do: "start", by };
    const command = facts.systemd ? "sudo systemctl start docker" : "sudo dockerd";
    return {
      do: "refuse",
      message: `The Docker engine is installed, but not running. Run \`${command}\`, then npm start again.`,
    };
  }
  if (!facts.debian) {
    return {
      do: "refuse",
      message:
        "Oneloop runs workspaces in a Docker engine, and none answers here. Install one " +
        "(https://docs.docker.com/engine/install), start it, and run npm start again.",
    };
  }
  if (facts.root) return { do: "install", ask: !facts.yes, by };
  return {
    do: "refuse",
    message:
      "Oneloop runs workspaces in a Docker engine, and none answers here. Run " +
      `\`sudo apt-get update && sudo ${installCommand} && sudo usermod -aG docker "$USER"\`, ` +
      "sign in again, and run npm start again.",
  };
}

/**
 * The socket that DOCKER_HOST names.
 *
 * @throws OneloopError `bad-input` for anything but a unix socket of this machine.
 */
export function dockerSocketPath(dockerHost: string): string {
  const path = /^unix:\/\/(\/.+)$/.exec(dockerHost)?.[1];
  if (path !== undefined) return path;
  throw new OneloopError(
    "bad-input",
    `DOCKER_HOST is ${dockerHost}. Oneloop needs an engine of this machine, because it reaches ` +
      `workspaces by their own addresses: set it to unix://${defaultSocket}, or unset it.`,
  );
}

/** How long a busy engine may take over a ping. */
const pingTimeoutMs = 15_000;

export function pingDocker(socketPath: string): Promise<DockerFacts["ping"]> {
  return new Promise((resolve) => {
    const request = get({ socketPath, path: "/_ping", timeout: pingTimeoutMs }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? "answers" : "nobody");
    });
    request.on("timeout", () => request.destroy(new Error("the engine does not answer")));
    request.on("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code === "EACCES" ? "forbidden" : "nobody");
    });
  });
}

export interface EnsureDockerOptions {
  readonly dockerHost: string;
  readonly execer: Execer;
  /** Where dockerd's output goes. */
  readonly logFile: string;
  readonly yes: boolean;
  /** `null`: nobody can answer. */
  readonly ask: (question: string) => Promise<boolean | null>;
  readonly say: (line: string) => void;
  /** Another than this one. */
  readonly machine?: Machine;
}

/** Where what the engine's start looks at is on a machine. */
export interface Machine {
  readonly root: boolean;
  /** os-release(5) */
  readonly osRelease: string;
  /** Is there where systemd runs the machine (sd_booted(3)). */
  readonly systemdFolder: string;
  /** Where its engine listens unless it is told otherwise. */
  readonly socketPath: string;
  readonly pidFile: string;
}

const thisMachine: Machine = {
  root: process.getuid?.() === 0,
  osRelease: "/etc/os-release",
  systemdFolder: "/run/systemd/system",
  socketPath: defaultSocket,
  pidFile: "/var/run/docker.pid",
};

/**
 * Makes sure that the Docker engine answers; as root on Debian installs and starts it where it is
 * missing, after asking.
 *
 * @returns what was done, in words.
 * @throws OneloopError `engine-unreachable` that names the command to run.
 */
export async function ensureDocker(options: EnsureDockerOptions): Promise<string> {
  const { execer, ask, say, machine = thisMachine } = options;
  const socketPath = dockerSocketPath(options.dockerHost);
  const ping = await pingDocker(socketPath);
  if (ping === "answers") return "answers";
  const decision = decideDocker({
    ping,
    socketPath,
    standardSocket: socketPath === machine.socketPath,
    root: machine.root,
    debian: isDebian(readText(machine.osRelease)),
    installed: (await execer.run("sh", ["-c", "command -v dockerd"])).exitCode === 0,
    systemd: (await stat(machine.systemdFolder).catch(() => null)) !== null,
    yes: options.yes,
  });
  switch (decision.do) {
    case "nothing":
      return "answers";
    case "refuse":
      throw new OneloopError("engine-unreachable", decision.message);
    case "install": {
      const question = `No Docker engine answers. Install it (${installCommand})?`;
      if (decision.ask && (await ask(question)) !== true) {
        throw new OneloopError(
          "engine-unreachable",
          `Oneloop runs workspaces in a Docker engine. Run \`apt-get update && ${installCommand}\` ` +
            "and start it, or run `npm start -- --yes` to have that done.",
        );
      }
      await install(execer, say);
      await startEngine(decision.by, options, machine);
      break;
    }
    case "start":
      await startEngine(decision.by, options, machine);
      break;
  }
  return decision.do === "install" ? "docker.io installed with apt-get, and started" : "started";
}

/** `ID` or `ID_LIKE` of os-release(5). */
export function isDebian(osRelease: string): boolean {
  return /^ID(_LIKE)?="?([^"\n]* )?(debian|ubuntu)\b/m.test(osRelease);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** A slow mirror takes minutes. */
const aptTimeoutMs = 15 * 60_000;

async function install(execer: Execer, say: (line: string) => void): Promise<void> {
  const steps = [["update"], installCommand.split(" ").slice(1)];
  for (const args of steps) {
    const result = await execer.run("apt-get", args, {
      env: { ...pathOnly(), DEBIAN_FRONTEND: "noninteractive" },
      timeoutMs: aptTimeoutMs,
      onLine: say,
    });
    if (result.exitCode === 0) continue;
    throw new OneloopError(
      "engine-unreachable",
      `\`apt-get ${args.join(" ")}\` failed. Mend what it says, then run npm start again.`,
      { cause: new Error(`${result.stdout}\n${result.stderr}`.split("\n").slice(-40).join("\n")) },
    );
  }
}

function pathOnly(): Record<string, string> {
  // Proxies of the machine's network are named by the environment alone.
  const kept = Object.entries(process.env).filter(([name]) => /^PATH$|_proxy$/i.test(name));
  return Object.fromEntries(kept.map(([name, value]) => [name, value ?? ""]));
}

/** dockerd needs about 2 s; after a crash it first looks at every container. */
const engineTimeoutMs = 60_000;

async function startEngine(
  by: "systemd" | "dockerd",
  { execer, logFile }: EnsureDockerOptions,
  { socketPath, pidFile }: Machine,
): Promise<void> {
  if (by === "systemd") {
    const result = await execer.run("systemctl", ["start", "docker"], {
      timeoutMs: engineTimeoutMs,
    });
    if (result.exitCode === 0 && (await pingDocker(socketPath)) === "answers") return;
    throw new OneloopError(
      "engine-unreachable",
      "The Docker engine does not start. `journalctl -u docker` says why.",
      { cause: new Error(result.stderr) },
    );
  }
  await removeStalePidFile(pidFile);
  await mkdir(dirname(logFile), { recursive: true });
  const log = await open(logFile, "a");
  const { size } = await log.stat();
  await log.close();
  // In a session of its own, with its output in a file: it outlives us and our terminal.
  await execer.run("setsid", [
    "--fork",
    "sh",
    "-c",
    'cd / && exec dockerd --host "$1" >>"$2" 2>&1 </dev/null',
    "dockerd",
    `unix://${socketPath}`,
    logFile,
  ]);
  const outcome = await watchFolder(dirname(logFile), {
    timeoutMs: engineTimeoutMs,
    async check() {
      const text = (await readFile(logFile)).subarray(size).toString();
      if (text.includes("API listen on")) return "listens";
      return /failed to start daemon|unable to configure/.test(text) ? "failed" : undefined;
    },
  });
  if (outcome === "listens" && (await pingDocker(socketPath)) === "answers") return;
  const output = (await readFile(logFile)).subarray(size).toString();
  throw new OneloopError(
    "engine-unreachable",
    `The Docker engine does not start. Its log is ${logFile}.`,
    { cause: new Error(output.split("\n").slice(-40).join("\n")) },
  );
}

/** dockerd refuses to start while its pid file names a process that lives, whichever it is. */
export async function removeStalePidFile(path: string): Promise<void> {
  const text = await readFile(path, "utf8").catch(() => null);
  if (text === null) return;
  const program = await readlink(`/proc/${text.trim()}/exe`).catch(() => "");
  if (!basename(program).startsWith("dockerd")) await rm(path, { force: true });
}
