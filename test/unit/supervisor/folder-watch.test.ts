import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ControlOrder } from "../../../server/protocol/control.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import type { ControlEnd } from "../../helpers/control-end.ts";
import { testSupervisor } from "./harness.ts";

let lifetime: Lifetime;
let folder: string;
let supervisor: Awaited<ReturnType<typeof testSupervisor>>;
let control: ControlEnd;
/** Whether what is told is said to be taken, so that the next is told. */
let takes = true;

const skip = [String.raw`(^|/)(\.git|node_modules)(/|$)`];

beforeEach(async () => {
  lifetime = new Lifetime();
  takes = true;
  folder = await mkdtemp(join(tmpdir(), "oneloop-watched-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, "src/deep"), { recursive: true });
  await mkdir(join(folder, "node_modules"));
  await writeFile(join(folder, "src/a.js"), "a");
  await writeFile(join(folder, "src/deep/b.js"), "b");
  supervisor = lifetime.own(await testSupervisor());
  control = await supervisor.control();
  lifetime.defer(async () => control[Symbol.dispose]());
  order({ type: "watch", folders: [{ path: folder, skip }] });
  await watched();
});
afterEach(() => lifetime[Symbol.asyncDispose]());

function order(what: ControlOrder): void {
  control.write(`${JSON.stringify(what)}\n`);
}

/** The watching is told by nobody: the first file that is seen says that it is whole. */
async function watched(): Promise<void> {
  for (let count = 0; ; count += 1) {
    const name = join("src/deep", `probe-${count}`);
    await writeFile(join(folder, name), "");
    const seen = control.until(() => (all().includes(name) ? true : undefined));
    const probed = await Promise.race([
      seen,
      supervisor
        .exec({ argv: ["sleep", "0.1"] })
        .then((one) => one.collect())
        .then(() => false),
    ]);
    if (probed) break;
  }
  control.messages.length = 0;
}

/** All that was told. */
function all(): string[] {
  return control.of("files").flatMap((message) => {
    if (takes) order({ type: "taken", id: message.id });
    return [...message.changed, ...message.removed.map((path) => `- ${path}`)];
  });
}

const told = (path: string): Promise<true> =>
  control.until(() => (all().includes(path) ? true : undefined));

test("a file that is saved is told, once it is quiet, however an editor saves it", async () => {
  await writeFile(join(folder, "src/a.js"), "other");
  await told("src/a.js");
  await writeFile(join(folder, "src/.b.js.swp"), "renamed over it");
  await rename(join(folder, "src/.b.js.swp"), join(folder, "src/deep/b.js"));
  await told("src/deep/b.js");
  await told("- src/.b.js.swp");
});

test("files of new folders are told, and what is made in them later", async () => {
  await mkdir(join(folder, "new/er"), { recursive: true });
  await writeFile(join(folder, "new/er/c.js"), "c");
  await told("new/er/c.js");
  await writeFile(join(folder, "new/er/d.js"), "d");
  await told("new/er/d.js");
});

test("what is removed is told, a folder as one; a folder in its place is watched too", async () => {
  await rm(join(folder, "src/a.js"));
  await told("- src/a.js");
  await mkdir(join(folder, "other/deep"), { recursive: true });
  await writeFile(join(folder, "other/deep/e.js"), "e");
  await told("other/deep/e.js");
  await rm(join(folder, "src"), { recursive: true });
  await rename(join(folder, "other"), join(folder, "src"));
  await told("- other/");
  await told("src/deep/e.js");
  await writeFile(join(folder, "src/deep/f.js"), "f");
  await told("src/deep/f.js");
});

test("nothing is told of what is skipped, nor of where a link leads", async () => {
  const elsewhere = await mkdtemp(join(tmpdir(), "oneloop-elsewhere-"));
  lifetime.defer(() => rm(elsewhere, { recursive: true, force: true }));
  await symlink(elsewhere, join(folder, "link"));
  await told("link");
  await writeFile(join(elsewhere, "secret"), "s");
  await writeFile(join(folder, "node_modules/x.js"), "x");
  await mkdir(join(folder, "src/node_modules/y"), { recursive: true });
  await writeFile(join(folder, "src/node_modules/y/y.js"), "y");
  await writeFile(join(folder, "src/last.js"), "l");
  await told("src/last.js");
  expect(all().filter((path) => /secret|node_modules/.test(path))).toEqual([]);
});

test("what happens while the control plane is away, and what it did not take, is told again", async () => {
  takes = false;
  await writeFile(join(folder, "src/a.js"), "untaken");
  const { id, changed } = await control.until(() => control.of("files")[0]);
  expect(changed).toEqual(["src/a.js"]);
  control.socket.destroy();
  await control.closed;
  await writeFile(join(folder, "src/deep/b.js"), "meanwhile");
  control = await supervisor.control();
  const again = await control.until(() => control.of("files")[0]);
  expect(again).toMatchObject({ id, changed: ["src/a.js"] });
  takes = true;
  order({ type: "watch", folders: [{ path: folder, skip }] });
  await told("src/deep/b.js");
});

test("a folder that cannot be watched is said to be so, and one that is not wanted is quiet", async () => {
  order({ type: "watch", folders: [{ path: join(folder, "nowhere"), skip: [] }] });
  const message = await control.until(() =>
    control.of("files").find(({ unwatched }) => unwatched !== null),
  );
  expect(message.unwatched).toContain("ENOENT");
});

test("of thousands of files each is told, a few hundred at a time", async () => {
  const names = Array.from({ length: 1200 }, (_, index) => `many/${"n".repeat(80)}-${index}`);
  await mkdir(join(folder, "many"));
  await Promise.all(names.map((name) => writeFile(join(folder, name), "")));
  await control.until(() => {
    const seen = new Set(all());
    return names.every((name) => seen.has(name)) ? true : undefined;
  });
});
