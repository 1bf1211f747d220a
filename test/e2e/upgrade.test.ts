import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { WorkspaceSummary } from "../../server/protocol/workspace.ts";
import { supervisorPort } from "../../server/protocol/supervisor.ts";
import { applicationRole, postgresPaths } from "../../server/start/postgres-files.ts";
import { randomIds } from "../../server/util/ids.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { BenchClient } from "../bench/client.ts";
import { docker } from "../helpers/engine-objects.ts";
import { git } from "../helpers/git.ts";
import { Installation, root, run } from "../helpers/installation.ts";
import { commandsWith } from "../helpers/operator-page.ts";
import { makeRepository } from "../helpers/repositories.ts";
import { hello } from "../helpers/test-engine.ts";
import { startInWorkspace, workspaceShell, type Shell } from "../helpers/workspace-shell.ts";

// What docs/operate.md says of an upgrade, typed as it stands there. The older release is this tree
// as it is and as it is built; the newer one has another version, which its supervisor says, and a
// migration more.

/** The newer release is built in it. */
const testTimeoutMs = 600_000;

const life = new Lifetime();
let older: string;
const newer = `99.0.0-${randomIds.id().slice(0, 8)}`;
let folder: string;
let checkout: string;
let oneloop: Installation;
let inside: Shell;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-upgrade-"));
  life.defer(() => rm(folder, { recursive: true, force: true }));
  checkout = join(folder, "oneloop");
  const text = await readFile(join(root, "package.json"), "utf8");
  ({ version: older } = JSON.parse(text) as { version: string });
  await makeReleases();
  await makeRepository(folder, "kept", { files: { "notes.txt": "committed\n" } });
  let made = new Set<string>();
  // Nobody else has one of the newer version.
  life.defer(async () => {
    for (const image of made) await docker.getImage(image).remove({ force: true });
  });
  oneloop = life.own(await Installation.start({ checkout }));
  const first = await supervisorImages();
  life.defer(async () => {
    made = new Set([...(await supervisorImages())].filter((image) => !first.has(image)));
  });
  inside = await workspaceShell(oneloop, folder);
});
afterAll(() => life[Symbol.asyncDispose]());

/** A checkout of the older release, which follows a repository that has the newer one already. */
async function makeReleases(): Promise<void> {
  await mkdir(checkout);
  await sh(
    // With their times: by them a start knows what is built already.
    `git ls-files -z --cached --others --exclude-standard | xargs -0 sh -c 'for f; do [ ! -e "$f" ] || printf "%s\\0" "$f"; done' sh | xargs -0 cp -p --parents -t "${checkout}"`,
    root,
  );
  await cp(join(root, "dist"), join(checkout, "dist"), {
    recursive: true,
    preserveTimestamps: true,
  });
  // A copy where the folder is on another disk.
  const installed = join(root, "node_modules");
  await sh(`cp -al "${installed}" . || { rm -rf node_modules; cp -a "${installed}" .; }`, checkout);
  // Written in its place by a start; that would be this tree's own, too.
  await rm(join(checkout, "node_modules/.oneloop-stamp"), { force: true });

  const upstream = join(folder, "upstream.git");
  await git(checkout, "init", "--quiet", "--initial-branch=main");
  await git(checkout, "add", "--all");
  await git(checkout, "commit", "--quiet", "--message", older);
  await git(folder, "clone", "--quiet", "--bare", checkout, upstream);
  await git(checkout, "remote", "add", "origin", upstream);
  await git(checkout, "fetch", "--quiet");
  await git(checkout, "branch", "--quiet", "--set-upstream-to=origin/main");

  const work = join(folder, "work");
  await git(folder, "clone", "--quiet", upstream, work);
  for (const name of ["package.json", "package-lock.json"]) {
    await edit(join(work, name), (text) =>
      text.replaceAll(
        `"name": "oneloop",\n  "version": "${older}"`,
        `"name": "oneloop",\n  "version": "${newer}"`,
      ),
    );
  }
  await addMigration(join(work, "migrations"));
  await git(work, "add", "--all");
  await git(work, "commit", "--quiet", "--message", newer);
  await git(work, "push", "--quiet", "origin", "main");
}

/** One that has to see what the older release left in the database. */
async function addMigration(migrations: string): Promise<void> {
  const tag = "9999_upgraded";
  await writeFile(
    join(migrations, `${tag}.sql`),
    `CREATE TABLE "upgraded" AS SELECT "name" FROM "workspaces" WHERE "state" = 'running';\n`,
  );
  await edit(join(migrations, "meta/_journal.json"), (text) => {
    const journal = JSON.parse(text) as { entries: { idx: number; when: number }[] };
    const last = journal.entries.at(-1);
    if (last === undefined) throw new Error("there are no migrations");
    const entry = { ...last, idx: last.idx + 1, when: last.when + 1, tag };
    return JSON.stringify({ ...journal, entries: [...journal.entries, entry] }, null, 2);
  });
}

async function edit(file: string, change: (text: string) => string): Promise<void> {
  const before = await readFile(file, "utf8");
  const after = change(before);
  if (after === before) throw new Error(`${file} has nothing to change`);
  await writeFile(file, after);
}

async function sh(commands: string, cwd: string): Promise<void> {
  const { exitCode, stderr } = await run("sh", ["-euc", commands], { cwd });
  expect(exitCode, stderr).toBe(0);
}

/** The images that supervisors come from, by the volumes that were filled from them. */
async function supervisorImages(): Promise<Set<string>> {
  const label = [`oneloop.installation=${oneloop.id}`, "oneloop.part=supervisor"];
  const { Volumes } = await docker.listVolumes({ filters: { label } });
  const hashes = Volumes.flatMap(({ Name }) => /-([0-9a-f]{12})$/.exec(Name)?.[1] ?? []);
  return new Set(hashes.map((hash) => `oneloop/supervisor:${hash}`));
}

interface Member {
  readonly startedAt: string;
  /** Named by the content that its supervisor comes from. */
  readonly supervisorVolume: string;
  /** What its supervisor says of itself. */
  readonly version: string;
  readonly boot: string;
}

async function devContainer(workspace: string): Promise<Member> {
  const found = async (role: string) => {
    const filters = { label: [`oneloop.workspace=${workspace}`, `oneloop.role=${role}`] };
    const [one] = await docker.listContainers({ filters });
    if (one === undefined) throw new Error(`no ${role} runs`);
    return docker.getContainer(one.Id).inspect();
  };
  const [dev, sandbox] = await Promise.all([found("dev"), found("sandbox")]);
  const [network] = Object.values(sandbox.NetworkSettings.Networks);
  const { version, boot } = await hello({ host: network?.IPAddress ?? "", port: supervisorPort });
  const mount = dev.Mounts.find(({ Destination }) => Destination === "/.oneloop");
  return {
    startedAt: dev.State.StartedAt,
    supervisorVolume: mount?.Name ?? "",
    version,
    boot,
  };
}

async function migrated(): Promise<unknown[]> {
  const { run: host } = postgresPaths(join(oneloop.dataDir, "postgres"));
  const client = new Client({ host, user: applicationRole, database: applicationRole });
  await client.connect();
  try {
    return (await client.query(`SELECT "name" FROM "upgraded"`)).rows;
  } finally {
    await client.end();
  }
}

it(
  "`git pull` and `npm start` upgrade it under a workspace that goes on, until its next start",
  async () => {
    const set = await oneloop.loop("variables", "set", "KEPT=a-variable");
    expect(set.exitCode, set.stderr).toBe(0);
    const { id, name } = await oneloop.loopJson<WorkspaceSummary>(
      ...["open", `file://${join(folder, "kept.git")}`],
    );
    await inside(name, "echo by-hand > notes.txt; echo own > ~/own.txt");
    const program = await startInWorkspace(inside, name, { command: "sleep 100000" });
    const client = await BenchClient.signIn(oneloop);
    const terminal = await client.api.terminals.create.mutate({ workspace: id });
    {
      using typed = await client.terminal(id, terminal.id);
      typed.type("mine=typed-before; echo is-$mine\r");
      await typed.until((tail) => tail.includes("is-typed-before"));
    }
    const before = await devContainer(id);
    expect(before.version).toBe(older);

    await oneloop.stop();
    const printed = await oneloop.start(await commandsWith("git pull"));
    expect(printed).toMatch(/Bundling the supervisor/);
    expect(await git(checkout, "status", "--short")).toBe("");
    expect(await git(checkout, "log", "-1", "--format=%s")).toBe(newer);
    expect(await migrated()).toEqual([{ name }]);

    // All that ran goes on, with the supervisor that it had.
    expect(await devContainer(id)).toEqual(before);
    expect(await inside(name, `kill -0 ${program} && cat notes.txt ~/own.txt`)).toMatchObject({
      stdout: "by-hand\nown\n",
    });
    {
      using typed = await client.terminal(id, terminal.id);
      typed.type("echo again-$mine\r");
      await typed.until((tail) => tail.includes("again-typed-before"));
    }
    // What is new after the upgrade works in it, too.
    const another = await client.api.terminals.create.mutate({ workspace: id });
    using typed = await client.terminal(id, another.id);
    typed.type("echo $KEPT-$((6 * 7))\r");
    await typed.until((tail) => tail.includes("a-variable-42"));

    // Its next start brings the new one, and the data is what it was.
    for (const command of ["stop", "start"]) {
      const done = await oneloop.loop(command, name);
      expect(done.exitCode, done.stderr).toBe(0);
    }
    const after = await devContainer(id);
    expect(after.version).toBe(newer);
    expect(after.supervisorVolume).not.toBe(before.supervisorVolume);
    expect(await inside(name, "cat notes.txt ~/own.txt; echo $KEPT")).toMatchObject({
      stdout: "by-hand\nown\na-variable\n",
    });
  },
  testTimeoutMs,
);
