import { once } from "node:events";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { ensureDocker, type EnsureDockerOptions } from "../../../server/start/docker.ts";
import { systemExecer, type Execer } from "../../../server/util/execer.ts";

/** A machine with root and apt, whose programs are these scripts; `packages` is what apt has. */
let folder: string;
let said: string[];
let asked: string[];
const at = (name: string): string => join(folder, name);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ol-ensure-"));
  said = [];
  asked = [];
  const made = folder;
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await rm(made, { recursive: true, force: true });
  });
  await mkdir(at("bin"));
  await mkdir(at("packages"));
  // Nothing else of this machine is found, and no engine of it.
  for (const program of ["sh", "setsid"])
    await symlink(`/usr/bin/${program}`, at(`bin/${program}`));
  vi.stubEnv("PATH", at("bin"));
  await writeFile(at("os-release"), "ID=debian\n");
  await program(
    "bin/apt-get",
    `const { appendFileSync, renameSync } = require("node:fs");
     const call = { args: process.argv.slice(2), env: process.env };
     appendFileSync(${JSON.stringify(at("apt"))}, JSON.stringify(call) + "\\n");
     console.log("Reading package lists...");
     if (call.args[0] === "install")
       renameSync(${JSON.stringify(at("packages/dockerd"))}, ${JSON.stringify(at("bin/dockerd"))});`,
  );
  await program(
    "packages/dockerd",
    `const socket = process.argv[process.argv.indexOf("--host") + 1].slice("unix://".length);
     require("node:http").createServer((_, response) => response.end("OK")).listen(socket, () => {
       require("node:fs").writeFileSync(${JSON.stringify(at("pid"))}, String(process.pid));
       console.error("API listen on " + socket);
     });`,
  );
});

async function program(name: string, text: string): Promise<void> {
  await writeFile(at(name), `#!${process.execPath}\n${text}\n`, { mode: 0o755 });
}

function ensure(options: Partial<EnsureDockerOptions> = {}): Promise<string> {
  return ensureDocker({
    dockerHost: `unix://${at("docker.sock")}`,
    execer: systemExecer,
    logFile: at("log/dockerd.log"),
    yes: false,
    ask: (question) => {
      asked.push(question);
      return Promise.resolve(true);
    },
    say: (line) => said.push(line),
    machine: {
      root: true,
      osRelease: at("os-release"),
      systemdFolder: at("systemd"),
      socketPath: at("docker.sock"),
      pidFile: at("docker.pid"),
    },
    ...options,
  });
}

interface AptCall {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

function aptCalls(): AptCall[] {
  if (!existsSync(at("apt"))) return [];
  const lines = readFileSync(at("apt"), "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as AptCall);
}

/** Of the engine that was started; it ends with the test. */
async function engineId(): Promise<number> {
  const pid = Number(await readFile(at("pid"), "utf8"));
  onTestFinished(() => void process.kill(pid, "SIGKILL"));
  return pid;
}

/** proc_pid_stat(5): the sixth field; the second ends with a parenthesis. */
function sessionOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3] ?? "";
}

test("with a yes, apt installs the engine, and it runs apart from us", async () => {
  vi.stubEnv("HTTPS_PROXY", "http://proxy.example:3128");
  vi.stubEnv("ONELOOP_SECRET_KEY", "not apt's business");
  await writeFile(at("docker.pid"), `${process.pid}\n`);
  expect(await ensure()).toBe("docker.io installed with apt-get, and started");
  const pid = await engineId();

  const command = "apt-get install -y --no-install-recommends docker.io iptables";
  expect(asked).toEqual([`No Docker engine answers. Install it (${command})?`]);
  expect(aptCalls().map(({ args }) => args.join(" "))).toEqual([
    "update",
    "install -y --no-install-recommends docker.io iptables",
  ]);
  for (const { env } of aptCalls()) {
    expect(env).toMatchObject({
      PATH: at("bin"),
      HTTPS_PROXY: "http://proxy.example:3128",
      DEBIAN_FRONTEND: "noninteractive",
    });
    expect(env).not.toHaveProperty("ONELOOP_SECRET_KEY");
  }
  expect(said).toEqual(["Reading package lists...", "Reading package lists..."]);
  // The pid file named a program that is no dockerd.
  expect(existsSync(at("docker.pid"))).toBe(false);

  // It outlives us: no terminal, folder or pipe of ours.
  expect(sessionOf(pid)).not.toBe(sessionOf(process.pid));
  expect(readlinkSync(`/proc/${pid}/cwd`)).toBe("/");
  const streams = [0, 1, 2].map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  expect(streams).toEqual(["/dev/null", at("log/dockerd.log"), at("log/dockerd.log")]);

  expect(await ensure()).toBe("answers");
  expect(aptCalls()).toHaveLength(2);
});

test("with --yes nothing is asked", async () => {
  expect(await ensure({ yes: true })).toMatch(/installed with apt-get/);
  await engineId();
  expect(asked).toEqual([]);
});

test("one that is installed is only started, and that is said", async () => {
  await symlink(at("packages/dockerd"), at("bin/dockerd"));
  expect(await ensure()).toBe("started");
  await engineId();
  expect([asked, aptCalls()]).toEqual([[], []]);
});

test.each([false, null])(
  "an answer of %s installs nothing, and says the command",
  async (answer) => {
    await expect(ensure({ ask: () => Promise.resolve(answer) })).rejects.toMatchObject({
      code: "engine-unreachable",
      message: expect.stringMatching(/apt-get update && apt-get install .*--yes/) as string,
    });
    expect(aptCalls()).toEqual([]);
  },
);

test("apt that fails is named with what it said, and nothing is started", async () => {
  await program("bin/apt-get", `console.error("E: no network"); process.exit(100);`);
  await expect(ensure()).rejects.toMatchObject({
    code: "engine-unreachable",
    message: "`apt-get update` failed. Mend what it says, then run npm start again.",
    cause: { message: expect.stringContaining("E: no network") as string },
  });
  expect(existsSync(at("log"))).toBe(false);
});

test("an engine that ends at its start is told with the end of its log, this start's only", async () => {
  await mkdir(at("log"));
  await writeFile(at("log/dockerd.log"), "API listen on the day before\n");
  await program("bin/dockerd", `console.error("failed to start daemon: no overlay here");`);
  await expect(ensure()).rejects.toMatchObject({
    code: "engine-unreachable",
    message: `The Docker engine does not start. Its log is ${at("log/dockerd.log")}.`,
    cause: { message: "failed to start daemon: no overlay here\n" },
  });
});

test("where systemd runs the machine, it starts the engine", async () => {
  await mkdir(at("systemd"));
  await symlink(at("packages/dockerd"), at("bin/dockerd"));
  const calls: string[] = [];
  let works = false;
  const execer: Execer = {
    async run(name, args, options) {
      if (name !== "systemctl") return systemExecer.run(name, args, options);
      calls.push(args.join(" "));
      if (!works) return { exitCode: 1, stdout: "", stderr: "masked" };
      const server = createServer((_request, response) => response.end("OK"));
      onTestFinished(() => void server.close());
      await once(server.listen(at("docker.sock")), "listening");
      return { exitCode: 0, stdout: "", stderr: "" };
    },
  };
  await expect(ensure({ execer })).rejects.toMatchObject({
    message: expect.stringContaining("journalctl -u docker") as string,
    cause: { message: "masked" },
  });
  works = true;
  expect(await ensure({ execer })).toBe("started");
  expect(calls).toEqual(["start docker", "start docker"]);
});
