import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:http";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import {
  decideDocker,
  dockerSocketPath,
  ensureDocker,
  isDebian,
  pingDocker,
  removeStalePidFile,
  type DockerFacts,
} from "../../../server/start/docker.ts";
import type { Execer } from "../../../server/util/execer.ts";

const bare: DockerFacts = {
  ping: "nobody",
  socketPath: "/var/run/docker.sock",
  standardSocket: true,
  root: true,
  debian: true,
  installed: false,
  systemd: false,
  yes: false,
};

test.each<[string, Partial<DockerFacts>, object]>([
  ["an engine that answers is used", { ping: "answers", debian: false }, { do: "nothing" }],
  ["root on Debian is asked before an install", {}, { do: "install", ask: true, by: "dockerd" }],
  ["with --yes nothing is asked", { yes: true }, { do: "install", ask: false, by: "dockerd" }],
  ["systemd runs what it finds", { systemd: true }, { do: "install", ask: true, by: "systemd" }],
  ["an installed engine is started", { installed: true }, { do: "start", by: "dockerd" }],
  [
    "an installed engine is started where apt is unknown, too",
    { installed: true, debian: false, systemd: true },
    { do: "start", by: "systemd" },
  ],
])("%s", (_name, facts, decision) => {
  expect(decideDocker({ ...bare, ...facts })).toEqual(decision);
});

test.each<[string, Partial<DockerFacts>, RegExp]>([
  ["a user without root reads the whole command", { root: false }, /sudo apt-get install -y/],
  ["without root, an installed engine", { root: false, installed: true }, /`sudo dockerd`/],
  [
    "without root, an installed engine of systemd",
    { root: false, installed: true, systemd: true },
    /`sudo systemctl start docker`/,
  ],
  ["a user outside the group", { ping: "forbidden", root: false }, /usermod -aG docker/],
  ["another system than Debian", { debian: false }, /docs\.docker\.com/],
  [
    "an engine of the operator's own",
    { socketPath: "/run/mine.sock", standardSocket: false },
    /unset DOCKER_HOST/,
  ],
])("refused with what to do: %s", (_name, facts, message) => {
  const decision = decideDocker({ ...bare, ...facts });
  expect(decision.do === "refuse" ? decision.message : decision.do).toMatch(message);
});

test("only a unix socket of this machine is an engine", () => {
  expect(dockerSocketPath("unix:///run/user/1000/docker.sock")).toBe("/run/user/1000/docker.sock");
  for (const wrong of ["tcp://10.0.0.1:2375", "ssh://me@host", "unix://", "/var/run/docker.sock"]) {
    expect(() => dockerSocketPath(wrong)).toThrow(/engine of this machine/);
  }
});

test("Debian and its children are known by os-release", () => {
  expect(isDebian('NAME="Debian GNU/Linux"\nID=debian\n')).toBe(true);
  expect(isDebian('ID=linuxmint\nID_LIKE="ubuntu debian"\n')).toBe(true);
  expect(isDebian('ID=pop\nID_LIKE="ubuntu"\n')).toBe(true);
  expect(isDebian('ID="fedora"\nHOME_URL="https://debian.org"\n')).toBe(false);
  expect(isDebian("")).toBe(false);
});

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "ol-docker-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

test("a ping tells an engine from nobody", async () => {
  const socket = join(await folder(), "docker.sock");
  expect(await pingDocker(socket)).toBe("nobody");
  const server = createServer((_request, response) => response.end("OK")).listen(socket);
  onTestFinished(() => void server.close());
  await once(server, "listening");
  expect(await pingDocker(socket)).toBe("answers");
});

test("an engine of the operator's own that is away is never replaced by another", async () => {
  const calls: string[] = [];
  const execer: Execer = {
    run(program) {
      calls.push(program);
      return Promise.resolve({ exitCode: 0, stdout: "", stderr: "" });
    },
  };
  const dir = await folder();
  const ensuring = ensureDocker({
    dockerHost: `unix://${join(dir, "absent.sock")}`,
    execer,
    logFile: join(dir, "dockerd.log"),
    yes: true,
    ask: () => Promise.resolve(null),
    say: () => undefined,
  });
  await expect(ensuring).rejects.toMatchObject({ code: "engine-unreachable" });
  // It looked whether dockerd is there, and started nothing.
  expect(calls).toEqual(["sh"]);
});

test("a pid file of a dead dockerd goes, also when its number lives on in another program", async () => {
  const dir = await folder();
  const stale = join(dir, "docker.pid");
  await writeFile(stale, `${process.pid}\n`);
  await removeStalePidFile(stale);
  expect(existsSync(stale)).toBe(false);
  await removeStalePidFile(stale);
});
