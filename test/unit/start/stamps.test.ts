import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import {
  installedMatchesLock,
  isFresh,
  stampOf,
  writeStamp,
} from "../../../server/start/stamps.js";

let root = "";
const at = new Date("2026-01-01T00:00:00Z");

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "ol-stamps-"));
  const made = root;
  onTestFinished(() => rm(made, { recursive: true, force: true }));
});

async function put(path: string, content: string, mtime = at): Promise<void> {
  await mkdir(join(root, path, ".."), { recursive: true });
  await writeFile(join(root, path), content);
  await utimes(join(root, path), mtime, mtime);
}

const stamp = (extra = ""): string => stampOf(root, { inputs: ["src", "config.json"], extra });

test("a stamp stays while its inputs stay, and changes with each of them", async () => {
  await put("src/a.ts", "one");
  await put("src/deep/b.ts", "two");
  const first = stamp();
  await put("elsewhere.ts", "no input");
  await put("src/node_modules/x.js", "no input");
  expect(stamp()).toBe(first);

  const seen = new Set([first, stamp("other dependencies")]);
  await put("src/a.ts", "longer");
  seen.add(stamp());
  await put("src/a.ts", "LONGER", new Date(at.getTime() + 1));
  seen.add(stamp());
  await put("src/c.ts", "");
  seen.add(stamp());
  await rm(join(root, "src/c.ts"));
  await put("config.json", "{}");
  seen.add(stamp());
  expect(seen.size).toBe(6);
});

test("an output is fresh only when it is there and its stamp says so", async () => {
  await put("src/a.ts", "one");
  const file = join(root, "dist/.stamp");
  const output = join(root, "dist/out.js");
  const fresh = (): boolean => isFresh({ file, stamp: stamp(), output });
  writeStamp(file, stamp());
  expect(fresh()).toBe(false);
  await put("dist/out.js", "");
  expect(fresh()).toBe(true);
  await put("src/a.ts", "other");
  expect(fresh()).toBe(false);
});

test("what npm installed is compared with the lock file, optional packages apart", async () => {
  const a = { version: "1.0.0", integrity: "sha512-a" };
  const write = (installed: object): Promise<void> =>
    put("node_modules/.package-lock.json", JSON.stringify({ packages: installed }));
  await put(
    "package-lock.json",
    JSON.stringify({
      packages: {
        "": {},
        "node_modules/a": a,
        "node_modules/for-another-system": { version: "2.0.0", optional: true },
      },
    }),
  );
  expect(installedMatchesLock(root)).toBe(false);
  await write({ "node_modules/a": a });
  expect(installedMatchesLock(root)).toBe(true);
  await write({ "node_modules/a": { ...a, version: "1.0.1" } });
  expect(installedMatchesLock(root)).toBe(false);
  await write({ "node_modules/a": a, "node_modules/stranger": a });
  expect(installedMatchesLock(root)).toBe(false);
  await write({});
  expect(installedMatchesLock(root)).toBe(false);
  await put("node_modules/.package-lock.json", "{ cut off");
  expect(installedMatchesLock(root)).toBe(false);
});
