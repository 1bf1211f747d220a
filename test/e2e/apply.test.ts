import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { WorkspaceDetail, WorkspaceSummary } from "../../server/protocol/workspace.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { Installation } from "../helpers/installation.ts";
import { makeRepository } from "../helpers/repositories.ts";
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

const devfile = `
schemaVersion: 2.2.2
metadata: { name: applied }
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
${once("tidy", `echo $WHO >> /notes/said; exit $(cat /notes/status 2>/dev/null || echo 0)`)}
commands:
  - { id: migrate, apply: { component: init } }
  - { id: check, apply: { component: check } }
  - { id: tidy, apply: { component: tidy } }
events: { preStart: [migrate, check], postStop: [tidy] }
`;

const lifetime = new Lifetime();
let oneloop: Installation;
let shell: Shell;
let ws: WorkspaceSummary;
const detail = (): Promise<WorkspaceDetail> => oneloop.loopJson<WorkspaceDetail>("show", ws.name);
const loop = (...args: string[]) => oneloop.loop(...args, ws.name);

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "oneloop-applied-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  const made = await makeRepository(folder, "applied", { files: { "devfile.yaml": devfile } });
  oneloop = lifetime.own(await Installation.start());
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

it("a service of its Kubernetes objects runs beside it, under the name of its Service", async () => {
  const queue = async () => (await detail()).services.find(({ name }) => name === "queue");
  await expect.poll(queue, { timeout: 60_000 }).toMatchObject({
    ...{ state: "running", health: "ready", mirrored: true },
  });
  const { stdout } = await shell(ws.name, "curl -sS --max-time 10 http://queue-api/");
  expect(stdout).toBe("of the queue");
});

it("those of postStop run after a stop, and the others again at the next start", async () => {
  expect((await loop("stop")).exitCode).toBe(0);
  expect((await loop("start")).exitCode).toBe(0);
  const { stdout } = await shell(ws.name, "cat /notes/said; echo 5 > /notes/status");
  const words = stdout.split("\n").map((line) => line.split(" ")[0]);
  expect(words).toEqual([
    ...["init", "devfile.yaml", "1", "check", "tidy", "init", "devfile.yaml", "1", "check", ""],
  ]);
});

it("one of postStop that fails is told, and the workspace has stopped", async () => {
  await shell(ws.name, "touch $PROJECT_SOURCE/broken");
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
