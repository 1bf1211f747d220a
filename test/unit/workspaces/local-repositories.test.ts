import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { localRepository } from "../../../server/workspaces/local-repositories.ts";

let folder: string;
let open: string;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "ol-roots-")));
  open = join(folder, "open");
  await mkdir(join(open, "app.git"), { recursive: true });
  await mkdir(join(folder, "open-not", "app.git"), { recursive: true });
  await mkdir(join(folder, "private", "app.git"), { recursive: true });
  await writeFile(join(open, "file"), "");
  await symlink(join(folder, "private"), join(open, "out"));
  await symlink(open, join(folder, "other-name"));
});
afterAll(() => rm(folder, { recursive: true }));

const notAllowed = { code: "repository-not-allowed" };
const unreachable = { code: "repository-unreachable" };

test("a folder of the operator's roots is open, by every name that leads there", async () => {
  const app = join(open, "app.git");
  for (const root of [open, `${open}/`, join(folder, "other-name"), app, "/"]) {
    expect(await localRepository(app, [root])).toBe(app);
    expect(await localRepository(join(folder, "other-name", "app.git"), [root])).toBe(app);
  }
  expect(await localRepository(app, null)).toBe(app);
});

test.each(["private/app.git", "open-not/app.git", "open/out/app.git", "open/../private/app.git"])(
  "%s is none of them",
  async (path) => {
    await expect(localRepository(`${folder}/${path}`, [open])).rejects.toMatchObject(notAllowed);
    await expect(localRepository(`${folder}/${path}`, [])).rejects.toMatchObject(notAllowed);
  },
);

test("whether there is something outside of them is told to nobody", async () => {
  for (const path of ["private", "nothing", "open/out/nothing/at/all", "open/../nothing"]) {
    await expect(localRepository(`${folder}/${path}`, [open])).rejects.toMatchObject(notAllowed);
  }
  for (const path of ["nothing.git", "file"]) {
    await expect(localRepository(join(open, path), [open])).rejects.toMatchObject(unreachable);
  }
});
