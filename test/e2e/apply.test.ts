import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { WorkspaceDetail, WorkspaceSummary } from "../../server/protocol/workspace.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import type { Phase } from "../../server/workspaces/phases.ts";
import { git } from "../helpers/git.ts";
import { startGitServer } from "../helpers/git-server.ts";
import { Installation, run } from "../helpers/installation.ts";
import { freePort, machineAddress } from "../helpers/ports.ts";
import { addCommit, makeRepository } from "../helpers/repositories.ts";
import { workspaceShell, type Shell } from "../helpers/workspace-shell.ts";

/** `notes` are kept on a volume; the source has what the checks are told. */
const once = (name: string, line: string): string => `
  - name: ${name}
    container:
      image: oneloop/workspace:latest
      command: [sh, -c]
      args: [${JSON.stringify(line)}]
      env: [{ name: WHO, value: ${name} }]
      memoryLimit: 100Mi
      volumeMounts: [{ name: notes, path: /notes }]`;
const limit =
  "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null";

const devfile = (remote: (name: string) => string): string => `
schemaVersion: 2.2.2
metadata: { name: applied }
projects:
  - name: library
    git:
      remotes: { origin: ${remote("library")}, fork: ${remote("fork")} }
      checkoutFrom: { remote: fork, revision: feature }
components:
  - name: dev
    container:
      image: oneloop/workspace:latest
      volumeMounts: [{ name: notes, path: /notes }]
  - { name: notes, volume: {} }
  - name: objects
    kubernetes:
      inlined: |
        apiVersion: apps/v1
        kind: Deployment
        metadata: { name: queue }
        spec:
          selector: { matchLabels: { app: queue } }
          template:
            metadata: { labels: { app: queue } }
            spec:
              terminationGracePeriodSeconds: 1
              containers:
                - name: queue
                  image: oneloop/workspace:latest
                  command: [node, -e, "require('http').createServer((q, r) => r.end('of the queue')).listen(3999)"]
                  readinessProbe: { tcpSocket: { port: 3999 }, periodSeconds: 1 }
        ---
        apiVersion: v1
        kind: Service
        metadata: { name: queue-api }
        spec: { selector: { app: queue }, ports: [{ port: 80, targetPort: 3999 }] }
${once("init", `sudo chmod 777 /notes; echo "$WHO $(${limit}) $(id -un)" >> /notes/said; ls $PROJECT_SOURCE >> /notes/said; cat /proc/net/dev | grep -c eth0 >> /notes/said`)}
${once("check", `echo $WHO >> /notes/said; if [ -e $PROJECT_SOURCE/broken ]; then echo why it is so >&2; exit 4; fi`)}
${once("tidy", `echo $WHO >> /notes/said; while [ -e /notes/wait ]; do sleep 0.1; done; exit $(cat /notes/status 2>/dev/null || echo 0)`)}
commands:
  - { id: migrate, apply: { component: init } }
  - { id: check, apply: { component: check } }
  - { id: tidy, apply: { component: tidy } }
  - { id: bye, exec: { component: dev, commandLine: echo bye of $(id -un) >> /notes/said } }
events: { preStart: [migrate, check], preStop: [bye], postStop: [tidy] }
`;

const lifetime = new Lifetime();
let oneloop: Installation;
let shell: Shell;
let ws: WorkspaceSummary;
let crashFile: string;
/** The URL of a repository on a server of this test. */
let remote: (name: string) => string;
const detail = (): Promise<WorkspaceDetail> => oneloop.loopJson<WorkspaceDetail>("show", ws.name);
const loop = (...args: string[]) => oneloop.loop(...args, ws.name);

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "oneloop-applied-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  crashFile = join(folder, "crash");
  for (const name of ["library", "fork"]) {
    const { path } = await makeRepository(folder, name, { files: { "lib.txt": `${name}\n` } });
    await git(path, "branch", "feature");
    await addCommit(path, "feature", { "lib.txt": `a feature of ${name}\n` });
  }
  const [host, port] = [machineAddress(), await freePort()];
  const server = lifetime.own(await startGitServer({ root: folder, host, port }));
  remote = (name) => server.url(`${name}.git`);
  const files = { "devfile.yaml": devfile(remote) };
  const made = await makeRepository(folder, "applied", { files });
  const env = { ONELOOP_ALLOW_NET: `${host}:${port}`, ONELOOP_TEST_CRASH_FILE: crashFile };
  oneloop = lifetime.own(await Installation.start({ env }));
  ws = await oneloop.loopJson<WorkspaceSummary>("open", `file://${made.path}`);
  shell = await workspaceShell(oneloop, folder);
});
afterAll(() => lifetime[Symbol.asyncDispose]());

it("containers of preStart run before, with their volumes, limits, variables and the network", async () => {
  const { stdout } = await shell(ws.name, "cat /notes/said");
  expect(stdout.split("\n")).toEqual([
    `init ${100 * 1024 * 1024} dev`,
    "devfile.yaml",
    "1",
    "check",
    "",
  ]);
  const { services } = await detail();
  expect(services.map(({ name }) => name)).toEqual(["dev", "queue"]);
});

it("a project of several remotes has them all, and is checked out from the one that is named", async () => {
  const { stdout } = await shell(
    ws.name,
    "cd /workspace/library && cat lib.txt && git remote -v && git status -sb && git fetch -q origin && git show origin/feature:lib.txt",
  );
  expect(stdout.split("\n")).toEqual([
    "a feature of fork",
    ...["fork", "origin"].flatMap((name) =>
      ["fetch", "push"].map(
        (to) => `${name}\t${remote(name === "fork" ? name : "library")} (${to})`,
      ),
    ),
    "## feature...fork/feature",
    "a feature of library",
    "",
  ]);
});

it("a service of its Kubernetes objects runs beside it, under the name of its Service", async () => {
  const queue = async () => (await detail()).services.find(({ name }) => name === "queue");
  await expect.poll(queue, { timeout: 60_000 }).toMatchObject({
    ...{ state: "running", health: "ready", mirrored: true },
  });
  const { stdout } = await shell(ws.name, "curl -sS --max-time 10 http://queue-api/");
  expect(stdout).toBe("of the queue");
});

it("the commands of preStop run before a stop, the containers of postStop after it, and the others again at the next start", async () => {
  expect((await loop("stop")).exitCode).toBe(0);
  expect((await loop("start")).exitCode).toBe(0);
  const { stdout } = await shell(ws.name, "cat /notes/said");
  const words = stdout.split("\n").map((line) => line.split(" ")[0]);
  expect(words).toEqual([
    ...["init", "devfile.yaml", "1", "check", "bye", "tidy"],
    ...["init", "devfile.yaml", "1", "check", ""],
  ]);
});

/** What ran after stops since this was asked last. */
async function tidied(): Promise<string[]> {
  const { stdout } = await shell(ws.name, "grep tidy /notes/said; sed -i /tidy/d /notes/said");
  return stdout.trim().split("\n");
}

it("those of postStop run once when the control plane is killed between the stop and them", async () => {
  await tidied();
  const phase: Phase = "members-stopped";
  await writeFile(crashFile, phase);
  const stopping = loop("stop");
  await oneloop.ended();
  expect(existsSync(crashFile)).toBe(false);
  await oneloop.start();
  await stopping;
  expect((await loop("stop")).exitCode).toBe(0);
  expect((await loop("start")).exitCode).toBe(0);
  expect(await tidied()).toEqual(["tidy"]);
});

it("one of postStop that a kill caught in the middle runs again from its beginning", async () => {
  await shell(ws.name, "touch /notes/wait");
  const begun = async () =>
    (await detail()).events.filter(({ message }) => message.startsWith("Running tidy")).length;
  const before = await begun();
  const stopping = loop("stop");
  await expect.poll(begun, { timeout: 60_000 }).toBe(before + 1);
  await oneloop.kill();
  await stopping;
  await oneloop.start();
  await expect.poll(begun, { timeout: 60_000 }).toBe(before + 2);
  const volume = `oneloop-${oneloop.id}-${ws.id}-notes`;
  await run("docker", [
    ...["run", "--rm", "--network=none", "-v", `${volume}:/v`, "oneloop/workspace:latest"],
    ...["rm", "/v/wait"],
  ]);
  expect((await loop("stop")).exitCode).toBe(0);
  expect((await loop("start")).exitCode).toBe(0);
  expect(await tidied()).toEqual(["tidy", "tidy"]);
});

it("one of postStop that fails is told, and the workspace has stopped", async () => {
  await shell(ws.name, "echo 5 > /notes/status; touch $PROJECT_SOURCE/broken");
  expect((await loop("stop")).exitCode).toBe(0);
  const { state, events } = await detail();
  expect(state).toBe("stopped");
  expect(events.map(({ message }) => message)).toContain(
    "tidy, which runs component tidy after the stop, ended with status 5. It printed nothing.",
  );
});

it("one of preStart that fails fails the start, with its name and the end of its output", async () => {
  const started = await loop("start");
  expect(started.exitCode).toBe(2);
  expect(started.stderr).toContain(
    "check, which runs component check before the start, ended with status 4.",
  );
  expect(started.stderr).toContain("why it is so");
  expect((await detail()).state).toBe("failed");
});
