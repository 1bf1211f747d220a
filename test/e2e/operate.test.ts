import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { WorkspaceSummary } from "../../server/protocol/workspace.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { objectsWith } from "../helpers/engine-objects.ts";
import { Installation, run } from "../helpers/installation.ts";
import { commandsWith } from "../helpers/operator-page.ts";
import { makeRepository } from "../helpers/repositories.ts";
import { workspaceShell, type Shell } from "../helpers/workspace-shell.ts";

// What docs/operate.md tells an operator to type is typed here as it stands there.

const life = new Lifetime();
let oneloop: Installation;
let folder: string;
let id: string;
let inside: Shell;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-operate-"));
  life.defer(() => rm(folder, { recursive: true, force: true }));
  await makeRepository(folder, "kept", { files: { "notes.txt": "committed\n" } });
  oneloop = life.own(await Installation.start());
  id = oneloop.id;
  inside = await workspaceShell(oneloop, folder);
});
afterAll(() => life[Symbol.asyncDispose]());

/** The page's commands that have `word` in them, for this installation's data folder. */
async function commandsHere(word: string): Promise<string> {
  return (await commandsWith(word)).replaceAll("/var/lib/oneloop", oneloop.dataDir);
}

async function shell(commands: string): Promise<void> {
  const backups = join(folder, "backups");
  await mkdir(backups, { recursive: true });
  const { exitCode, stderr } = await run("sh", ["-euc", commands], { cwd: backups });
  expect(exitCode, stderr).toBe(0);
}

it("a backup is taken, everything is removed, and the backup brings unsaved work back", async () => {
  const opened = await oneloop.loopJson<WorkspaceSummary>(
    ...["open", `file://${join(folder, "kept.git")}`],
  );
  const workspace = opened.name;
  const write = "echo by-hand > notes.txt; echo own > ~/own.txt";
  expect(await inside(workspace, write)).toMatchObject({ exitCode: 0 });

  await oneloop.stop();
  await shell(await commandsHere("docker volume inspect"));
  await run("cp", ["-a", oneloop.dataDir, join(folder, "data")]);

  const removal = await commandsHere("docker network rm");
  // Those that all installations of the engine share, and what is not in this test's folder.
  const shared = /oneloop\.part=image|\.config\/oneloop/;
  await shell(
    removal
      .split("\n")
      .filter((line) => !shared.test(line))
      .join("\n"),
  );
  expect(await objectsWith(`oneloop.installation=${id}`)).toEqual({
    containers: [],
    networks: [],
    volumes: [],
  });

  await run("cp", ["-a", join(folder, "data"), oneloop.dataDir]);
  await shell(await commandsHere("docker volume create"));
  await oneloop.start();
  expect(oneloop.id).toBe(id);
  const again = await oneloop.loopJson<WorkspaceSummary>("start", workspace);
  expect(again.state).toBe("running");
  const read = await inside(workspace, "cat notes.txt ~/own.txt");
  expect(read.stdout).toBe("by-hand\nown\n");
  const removed = await oneloop.loop("delete", workspace, "--force");
  expect(removed.exitCode, removed.stderr).toBe(0);
  const { volumes } = await objectsWith(`oneloop.workspace=${opened.id}`);
  expect(volumes).toEqual([]);
});
