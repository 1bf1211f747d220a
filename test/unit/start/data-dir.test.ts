import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { prepareDataDir } from "../../../server/start/data-dir.ts";
import { lockDataDir } from "../../../server/start/lock.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { readSettings, type Settings } from "../../../server/util/settings.ts";

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "ol-data-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

const settings = (path: string, more: Record<string, string> = {}): Settings =>
  readSettings({ ONELOOP_DATA_DIR: path, ...more });

const mode = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);

test("an installation is named once and keeps its name and its key", async () => {
  const path = join(await folder(), "data");
  const first = await prepareDataDir(settings(path), randomIds);
  expect(first.installation).toMatch(/^[a-z2-7]{8}$/);
  expect(first.secretKey.length).toBeGreaterThanOrEqual(32);
  expect(await prepareDataDir(settings(path), randomIds)).toEqual(first);
  expect(await mode(path)).toBe("755");
  expect(await mode(join(path, "secret-key"))).toBe("600");
  expect((await readdir(path)).sort()).toEqual(["installation", "secret-key"]);
});

test("first starts at the same time agree on one installation", async () => {
  const path = join(await folder(), "data");
  const starts = await Promise.all(
    Array.from({ length: 8 }, () => prepareDataDir(settings(path), randomIds)),
  );
  expect(new Set(starts.map((data) => JSON.stringify(data))).size).toBe(1);
  expect((await readdir(path)).sort()).toEqual(["installation", "secret-key"]);
});

test("a key of the operator's own is used, and none is written", async () => {
  const path = join(await folder(), "data");
  const key = "k".repeat(32);
  const data = await prepareDataDir(settings(path, { ONELOOP_SECRET_KEY: key }), randomIds);
  expect(data.secretKey).toBe(key);
  expect(existsSync(join(path, "secret-key"))).toBe(false);
});

test("a path too long for sockets is refused before anything is made, with by how much", async () => {
  const path = `/${"d".repeat(90)}`;
  await expect(prepareDataDir(settings(path), randomIds)).rejects.toThrow(
    /11 bytes too long.*ONELOOP_DATA_DIR/,
  );
});

test("a damaged installation file is not replaced by a new name", async () => {
  const path = await folder();
  await writeFile(join(path, "installation"), "\n");
  await expect(prepareDataDir(settings(path), randomIds)).rejects.toThrow(/Restore it/);
});

test("a folder that cannot be made is named", async () => {
  const file = join(await folder(), "file");
  await writeFile(file, "");
  await expect(prepareDataDir(settings(join(file, "data")), randomIds)).rejects.toThrow(
    /cannot be used.*ONELOOP_DATA_DIR/,
  );
});

test("a folder that others may write is not used: they could plant the key", async () => {
  const path = join(await folder(), "data");
  for (const wrong of [0o777, 0o775, 0o1777]) {
    await mkdir(path);
    await chmod(path, wrong);
    await expect(prepareDataDir(settings(path), randomIds)).rejects.toMatchObject({
      code: "bad-input",
      message: expect.stringMatching(/written by others.*chmod go-w/) as string,
    });
    expect(await readdir(path)).toEqual([]);
    await rm(path, { recursive: true });
  }
});

test.runIf(process.getuid?.() === 0)(
  "another user's folder is not used, whatever its mode: they could replace what is in it",
  async () => {
    const path = join(await folder(), "data");
    await mkdir(path);
    await chown(path, 65_534, 65_534);
    await expect(prepareDataDir(settings(path), randomIds)).rejects.toMatchObject({
      code: "bad-input",
      message: expect.stringMatching(/belongs to user 65534.*ONELOOP_DATA_DIR/) as string,
    });
    expect(await readdir(path)).toEqual([]);
  },
);

test("a second control plane on the same folder is told that one is running", async () => {
  const path = await folder();
  const lock = await lockDataDir(path);
  await expect(lockDataDir(path)).rejects.toMatchObject({
    code: "conflict",
    message: expect.stringContaining(`process ${process.pid}`) as string,
  });
  await lock[Symbol.asyncDispose]();
  expect(await readdir(path)).toEqual([]);
  await using again = await lockDataDir(path);
  expect(again).toBeDefined();
  expect(await mode(join(path, "control-plane.lock"))).toBe("600");
});

test("a killed control plane does not block the next one", async () => {
  const path = await folder();
  const holder = spawn(
    process.execPath,
    [
      "-e",
      `require("node:net").createServer().listen(process.argv[1], () => console.log("listens"))`,
      join(path, "control-plane.lock"),
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const exit = once(holder, "exit");
  await once(holder.stdout, "data");
  holder.kill("SIGKILL");
  await exit;
  expect(await readdir(path)).toEqual(["control-plane.lock"]);

  await using lock = await lockDataDir(path);
  expect(lock).toBeDefined();
  await expect(lockDataDir(path)).rejects.toMatchObject({ code: "conflict" });
  expect(await readdir(path)).toEqual(["control-plane.lock"]);
});

test("the private files are read back without their line end", async () => {
  const path = await folder();
  const data = await prepareDataDir(settings(path), randomIds);
  expect(await readFile(join(path, "installation"), "utf8")).toBe(`${data.installation}\n`);
});
