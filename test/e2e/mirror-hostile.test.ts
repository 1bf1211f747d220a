import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { WorkspaceDetail, WorkspaceServiceView } from "../../server/protocol/workspace.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { docker } from "../helpers/engine-objects.ts";
import { Installation } from "../helpers/installation.ts";
import { makeRepository } from "../helpers/repositories.ts";
import { stopwatch } from "../helpers/stopwatch.ts";

// A production that nobody would wish for: the workspace runs, and says what is the matter.
const image = "oneloop/workspace:latest";
const mebibyte = 1024 * 1024;
/** What it writes as fast as it is taken, far beyond what is kept. */
const loudBytes = 200 * mebibyte;
/** Two files of 10 MB, and what the engine keeps of a container beside them. */
const keptBytes = 25 * mebibyte;

const devfile = `
schemaVersion: 2.2.2
metadata: { name: hostile }
components:
  - name: dev
    container: { image: "${image}" }
`;
const compose = `
services:
  loud:
    image: ${image}
    command: ["bash", "-c", "yes '${"x".repeat(200)}' | head -c ${loudBytes}; echo; echo all-said; exec sleep infinity"]
  never:
    image: ${image}
    command: ["sleep", "infinity"]
    healthcheck: { test: ["CMD", "false"], interval: 1s, timeout: 20s, retries: 2 }
  after:
    image: ${image}
    command: ["sleep", "infinity"]
    depends_on: { never: { condition: service_healthy } }
  one:
    image: ${image}
    command: ["python3", "-m", "http.server", "8080"]
    ports: ["8080:8080"]
  other:
    image: ${image}
    command: ["python3", "-m", "http.server", "8080"]
    ports: ["8080:8080"]
`;

const lifetime = new Lifetime();
let oneloop: Installation;
let ws: WorkspaceDetail;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "oneloop-hostile-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  const files = { "devfile.yaml": devfile, "compose.yaml": compose };
  const { path } = await makeRepository(folder, "hostile", { files });
  oneloop = lifetime.own(await Installation.start());
  ws = await oneloop.loopJson<WorkspaceDetail>(
    ...["open", `file://${path}`, "--mirror", "compose.yaml"],
  );
});
afterAll(() => lifetime[Symbol.asyncDispose]());

const isRunning = ({ state }: WorkspaceServiceView): boolean => state === "running";

async function until(
  name: string,
  wanted: (service: WorkspaceServiceView) => boolean,
): Promise<WorkspaceServiceView> {
  for (;;) {
    const { services } = await oneloop.loopJson<WorkspaceDetail>("show", ws.name);
    const found = services.find((one) => one.name === name);
    if (found !== undefined && wanted(found)) return found;
  }
}

it("a service that never becomes healthy says so, and what waits for it says what for", async () => {
  expect(ws.state).toBe("running");
  const never = await until("never", (one) => isRunning(one) && one.health === "unready");
  expect(never.reason).toMatch(/status 1/);
  const after = await until("after", ({ state, reason }) => state === "waiting" && reason !== null);
  expect(after.reason).toBe("It waits for never to be ready.");
});

it("two services that ask for the same port of the machine both run", async () => {
  await until("one", isRunning);
  await until("other", isRunning);
  for (const name of ["one", "other"]) {
    const { exitCode, stdout } = await oneloop.loop("logs", ws.name, name, "--lines", "5");
    expect(exitCode, stdout).toBe(0);
    expect(stdout).not.toContain("Address already in use");
  }
});

it("a service that writes without end is bounded on the disk and in memory, and others answer", async () => {
  await until("loud", isRunning);
  const filters = { label: [`oneloop.workspace=${ws.id}`, "oneloop.service=loud"] };
  const [container] = await docker.listContainers({ filters });
  const { Id, LogPath } = await docker.getContainer(container?.Id ?? "").inspect();
  const following = oneloop.loop(
    "logs",
    ws.name,
    "loud",
    "-f",
    "--grep",
    "all-said",
    "--lines",
    "1",
  );
  const said = async (): Promise<boolean> => {
    const { stdout } = await oneloop.loop("logs", ws.name, "loud", "--lines", "1");
    return stdout.includes("all-said");
  };
  let longestMs = 0;
  let mostKiB = 0;
  for (let done = false; !done;) {
    const tookMs = stopwatch();
    done = await said();
    longestMs = Math.max(longestMs, tookMs());
    mostKiB = Math.max(mostKiB, await residentKiB(oneloop.pid));
  }
  expect(longestMs).toBeLessThan(20_000);
  expect(mostKiB).toBeLessThan(600 * 1024);
  const folder = LogPath === "" ? `/var/lib/docker/containers/${Id}` : dirname(LogPath);
  const { stdout } = await promisify(execFile)("du", ["-sb", folder]);
  expect(Number(stdout.split("\t")[0])).toBeLessThan(keptBytes);
  await oneloop.loop("stop", ws.name);
  await following;
});

/** Of the control plane. */
async function residentKiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
}
