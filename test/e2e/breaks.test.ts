import { randomInt } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Database } from "../../server/db/database.ts";
import { WorkspaceStore, type WorkspaceRow } from "../../server/db/workspaces.ts";
import { applicationRole } from "../../server/start/postgres-files.ts";
import { createLog } from "../../server/util/log.ts";
import { randomIds } from "../../server/util/ids.ts";
import type { Phase } from "../../server/workspaces/phases.ts";
import { docker, objectsWith, removeInstallation } from "../helpers/engine-objects.ts";
import { git } from "../helpers/git.ts";
import { Installation, run } from "../helpers/installation.ts";
import { untilRow } from "../helpers/rows.ts";

/** The whole way back of a control plane, and of a workspace, on a busy machine. */
const recoveredMs = 60_000;

let folder: string;
let repository: string;
let crashFile: string;
let oneloop: Installation;
let database: Database;
let store: WorkspaceStore;
/** Has what a person wrote; stopped, started and never deleted. */
let kept: WorkspaceRow;
/** Another installation's objects, of a workspace with the same id. */
let theirs: string;
let branches = 0;
/** What ran in the end, and goes on through all the other kills. */
const opened: WorkspaceRow[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-breaks-"));
  crashFile = join(folder, "crash");
  repository = join(folder, "small.git");
  await git(folder, "init", "--quiet", "--initial-branch=main", repository);
  await writeFile(join(repository, "README.md"), "small\n");
  await git(repository, "add", "-A");
  await git(repository, "commit", "--quiet", "-m", "Begin");
  await git(repository, "checkout", "--quiet", "-b", mirrored);
  await writeFile(join(repository, "compose.yaml"), composeFile);
  await git(repository, "add", "-A");
  await git(repository, "commit", "--quiet", "-m", "Production");
  await git(repository, "checkout", "--quiet", "main");
  oneloop = await Installation.start({ env: { ONELOOP_TEST_CRASH_FILE: crashFile } });
  await connect();
  kept = await open("main");
  await inside(kept, "echo kept > /workspace/small/f; echo kept > ~/f");
  theirs = await makeNeighbour(kept.id);
});

afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  await oneloop?.[Symbol.asyncDispose]();
  if (theirs !== undefined) await removeInstallation(theirs);
  await rm(folder, { recursive: true, force: true });
});

/** A branch with a service of production. */
const mirrored = "mirrored";
/** Two of the same image: the dev container stands in for neither. */
const composeFile = `services:
  mail: { image: "oneloop/workspace:latest", command: [sleep, infinity] }
  db: { image: "oneloop/workspace:latest", command: [sleep, infinity] }
`;

/** By what a restart makes of a kill there. */
const phases = {
  beforeTheRow: ["refs-listed", "commit-fetched", "devfile-read"],
  opening: [
    ...(["row-inserted", "id-claimed", "storage-made", "checkout-done"] as const),
    ...(["members-made", "dev-started", "setup-told"] as const),
  ],
  preparing: ["pool-row-added", "pool-sandbox-prepared", "pool-job-prepared"],
  preparingMirror: ["pool-mirror-prepared"],
  stopping: ["members-stopped", "all-stopped", "stopped-recorded"],
  starting: [
    ...(["images-known", "network-made", "sandbox-made", "sandbox-ready"] as const),
    ...(["members-started", "running-recorded"] as const),
  ],
  deleting: ["unsaved-work-asked", "containers-removed", "all-removed", "row-forgotten"],
} as const;

/** Does not compile where a phase is in none of the lists. */
const _all: [Exclude<Phase, (typeof phases)[keyof typeof phases][number]>] extends [never]
  ? true
  : never = true;

describe("a control plane that is killed while it opens", () => {
  it.each<Phase>(phases.beforeTheRow)(
    "at %s: nothing of a workspace is there, and the same open succeeds",
    async (phase) => {
      const branch = await newBranch();
      const before = await store.ids();
      await dieAt(phase, () => oneloop.loop("open", url(branch), "--no-wait"));
      await comeBack();
      expect(await store.ids()).toEqual(before);
      opened.push(await open(branch));
    },
  );

  it.each<Phase>(phases.opening)(
    "at %s: the workspace runs in the end, with its checkout",
    async (phase) => {
      const branch = await newBranch();
      await dieAt(phase, () => oneloop.loop("open", url(branch), "--no-wait"));
      await comeBack();
      const row = await ofBranch(branch);
      await reaches(row, "running");
      expect(
        await inside(row, "cat /workspace/small/README.md; git -C /workspace/small status -s"),
      ).toBe("small\n");
      opened.push(row);
    },
  );
});

describe("a control plane that is killed while it prepares", () => {
  it.each<Phase>(phases.preparing)("at %s: nothing is left that nobody knows", async (phase) => {
    await oneloop.kill();
    // It prepares as soon as it runs.
    await dieAt(phase, () => oneloop.start());
    await comeBack();
  });
});

describe("a control plane that is killed while it makes a mirror ahead", () => {
  it.each<Phase>(phases.preparingMirror)(
    "at %s: the one that was opened runs, and nothing is left that nobody knows",
    async (phase) => {
      const branch = await newBranch(mirrored);
      const mirror = ["--mirror", "compose.yaml", "--no-wait"];
      await dieAt(phase, () => oneloop.loop("open", url(branch), ...mirror));
      await comeBack();
      const row = await ofBranch(branch);
      await reaches(row, "running");
      // What was started before the kill runs on, and what was not is started now.
      await untilRuns(row, "db");
      opened.push(row);
    },
  );
});

describe("a control plane that is killed while it stops and starts", () => {
  it.each<Phase>(phases.stopping)(
    "a stop at %s: it is stopped in the end, and starts",
    async (phase) => {
      await dieAt(phase, () => oneloop.loop("stop", kept.name));
      await comeBack();
      await reaches(kept, "stopped");
      expect(await running(kept)).toEqual([]);
      await oneloop.loop("start", kept.name);
    },
  );

  it.each<Phase>(phases.starting)(
    "a start at %s: it runs in the end, with what was written",
    async (phase) => {
      await oneloop.loop("stop", kept.name);
      await dieAt(phase, () => oneloop.loop("start", kept.name));
      await comeBack();
    },
  );
});

describe("a control plane that is killed while it deletes", () => {
  it.each<Phase>(phases.deleting)(
    "at %s: the workspace is gone in the end, with all that it had",
    async (phase) => {
      const row = await anotherOne();
      await dieAt(phase, () => oneloop.loop("delete", row.name));
      await comeBack();
      await untilRow({ database, store }, row.id, { wanted: isGone, ms: recoveredMs });
      expect(await objectsWith(`oneloop.workspace=${row.id}`)).toEqual(nothing);
    },
  );

  it("what was written meanwhile keeps its volumes, over a kill, too", async () => {
    const row = await anotherOne();
    await dieAt("members-stopped", () => oneloop.loop("delete", row.name));
    const volume = `oneloop-${oneloop.id}-${row.id}-source`;
    await run("docker", [
      ...["run", "--rm", "--network=none", "-v", `${volume}:/v`, "oneloop/workspace:latest"],
      ...["sh", "-c", "echo late > /v/small/late"],
    ]);
    await comeBack();
    await reaches(row, "stopped");
    expect((await objectsWith(`oneloop.workspace=${row.id}`)).volumes).toContain(volume);
  });
});

const nothing = { containers: [], networks: [], volumes: [] };

function isGone(row: WorkspaceRow | null): boolean {
  return row === null;
}

function url(branch: string): string {
  return `file://${repository}/tree/${branch}`;
}

async function newBranch(from = "main"): Promise<string> {
  branches += 1;
  const branch = `b${branches}`;
  await git(repository, "branch", branch, from);
  return branch;
}

async function connect(): Promise<void> {
  const socketFolder = join(oneloop.dataDir, "postgres", "run");
  const role = applicationRole;
  const address = `postgresql://${role}@localhost/${role}?host=${encodeURIComponent(socketFolder)}`;
  database = await Database.connect(address, createLog({ level: "silent" }));
  store = new WorkspaceStore(database);
}

async function ofBranch(branch: string): Promise<WorkspaceRow> {
  for (const id of await store.ids()) {
    const row = await store.byId(id);
    if (row?.ref === `refs/heads/${branch}`) return row;
  }
  throw new Error(`there is no workspace of ${branch}`);
}

async function open(branch: string): Promise<WorkspaceRow> {
  const { exitCode, stderr } = await oneloop.loop("open", url(branch));
  expect(exitCode, stderr).toBe(0);
  return ofBranch(branch);
}

/** One that was opened before; deleting it costs no open. */
async function anotherOne(): Promise<WorkspaceRow> {
  const row = opened.pop() ?? (await open(await newBranch()));
  await reaches(row, "running");
  return row;
}

/** Does something that ends the control plane at a phase; resolves when it is dead. */
async function dieAt(phase: Phase, work: () => Promise<unknown>): Promise<void> {
  await writeFile(crashFile, phase);
  // The command line waits for an answer that never comes, or is told that nobody is there.
  const asked = work().catch(() => undefined);
  await oneloop.ended();
  expect(existsSync(crashFile), phase).toBe(false);
  asks.push(asked);
}

/** What was asked when the control plane died; each ends by itself when there is one again. */
const asks: Promise<unknown>[] = [];

/** Starts it again, and looks at all that must hold whatever it died of. */
async function comeBack(): Promise<void> {
  const volumes = await keptVolumes();
  await oneloop.start();
  await Promise.all(asks.splice(0));
  for (const id of await store.ids()) {
    await untilRow({ database, store }, id, { wanted: isSettled, ms: recoveredMs });
  }
  await noStrangers();
  if ((await store.byId(kept.id))?.desired === "running") {
    await reaches(kept, "running");
    expect(await inside(kept, "cat /workspace/small/f ~/f")).toBe("kept\nkept\n");
  }
  expect(await keptVolumes()).toEqual(volumes);
  expect(volumes).toHaveLength(2);
  expect(await objectsWith(`oneloop.installation=${theirs}`)).toEqual(theirObjects);
}

/** What was wanted, or an error that says why not. */
function isSettled(row: WorkspaceRow | null): boolean {
  if (row === null) return true;
  if (row.state === "failed") return (row.errorMessage ?? "") !== "";
  return row.state === row.desired;
}

async function reaches(row: WorkspaceRow, state: "running" | "stopped"): Promise<void> {
  const wanted = (now: WorkspaceRow | null): boolean => now?.state === state;
  await untilRow({ database, store }, row.id, { wanted, ms: recoveredMs });
}

/** What carries this installation's label is a known workspace's, a known part's, or prepared. */
async function noStrangers(): Promise<void> {
  const known = async (): Promise<string[]> => [
    ...(await store.ids()),
    ...(await store.prepared()).map(({ id }) => id),
  ];
  // Before and after: what is made or taken meanwhile has its row on one side.
  const ids = new Set(await known());
  const filters = JSON.stringify({ label: [`oneloop.installation=${oneloop.id}`] });
  const [containers, networks, { Volumes: volumes }] = await Promise.all([
    docker.listContainers({ all: true, filters }),
    docker.listNetworks({ filters }),
    docker.listVolumes({ filters }),
  ]);
  for (const id of await known()) ids.add(id);
  const strangers = [...containers, ...networks, ...volumes].filter(({ Labels }) => {
    const { "oneloop.workspace": workspace, "oneloop.part": part } = Labels ?? {};
    return (workspace ?? "") === "" ? part === undefined : !ids.has(workspace ?? "");
  });
  expect(strangers).toEqual([]);
}

async function keptVolumes(): Promise<string[]> {
  const { volumes } = await objectsWith(`oneloop.workspace=${kept.id}`);
  return volumes.filter((name) => name.startsWith(`oneloop-${oneloop.id}-`));
}

/** Waits until a service's container is started. */
async function untilRuns(row: WorkspaceRow, service: string): Promise<void> {
  const name = `oneloop-${oneloop.id}-${row.id}-${service}`;
  const events = await docker.getEvents({ filters: { container: [name], event: ["start"] } });
  try {
    const found = await docker
      .getContainer(name)
      .inspect()
      .catch(() => null);
    if (found?.State.Running === true) return;
    await once(events, "data", { signal: AbortSignal.timeout(recoveredMs) });
  } finally {
    (events as Readable).destroy();
  }
}

async function running(row: WorkspaceRow): Promise<string[]> {
  const label = [`oneloop.installation=${oneloop.id}`, `oneloop.workspace=${row.id}`];
  return (await docker.listContainers({ filters: { label } })).map(({ Id }) => Id);
}

/** Runs a shell command in the dev container, beside Oneloop. */
async function inside(row: WorkspaceRow, script: string): Promise<string> {
  const dev = `oneloop-${oneloop.id}-${row.id}-${row.plan.devService}`;
  const { exitCode, stdout, stderr } = await run("docker", ["exec", dev, "sh", "-ec", script]);
  expect(exitCode, stderr).toBe(0);
  return stdout;
}

let theirObjects: Awaited<ReturnType<typeof objectsWith>>;

/** A container, a network and a volume of another installation, whose workspace has the same id. */
async function makeNeighbour(id: string): Promise<string> {
  const installation = randomIds.id().slice(0, 8);
  const Labels = { "oneloop.installation": installation, "oneloop.workspace": id };
  const name = `oneloop-${installation}-${id}`;
  await docker.createVolume({ Name: `${name}-source`, Labels });
  await docker.createNetwork({
    Name: name,
    Labels,
    Internal: true,
    IPAM: { Driver: "default", Config: [{ Subnet: `10.98.${randomInt(256)}.0/28` }] },
  });
  await docker.createContainer({
    name: `${name}_sandbox`,
    Image: "oneloop/workspace:latest",
    Labels: { ...Labels, "oneloop.role": "sandbox" },
    HostConfig: { NetworkMode: name },
  });
  theirObjects = await objectsWith(`oneloop.installation=${installation}`);
  return installation;
}
