import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  configFolder,
  isLoopback,
  normalizeUrl,
  readConfig,
  writeConfig,
} from "../../../cli/src/config-file.ts";

async function folderOfOurOwn(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "loop-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

test("the config folder is ONELOOP_CONFIG_DIR, else the XDG one", () => {
  expect(configFolder({ ONELOOP_CONFIG_DIR: "/a", XDG_CONFIG_HOME: "/b" })).toBe("/a");
  expect(configFolder({ XDG_CONFIG_HOME: "/b" })).toBe("/b/oneloop");
  expect(configFolder({ XDG_CONFIG_HOME: "" })).toMatch(/\/\.config\/oneloop$/);
});

test("a token is kept where nobody else can read it, and nothing is left beside it", async () => {
  await using folder = await folderOfOurOwn();
  const inside = join(folder.path, "new");
  const config = { url: "http://a", logins: { "http://a": { token: "t", user: "ada" } } };
  await writeConfig(inside, config);
  expect(await readConfig(inside)).toEqual(config);
  expect((await stat(inside)).mode & 0o777).toBe(0o700);
  expect((await stat(join(inside, "config.json"))).mode & 0o777).toBe(0o600);
  expect(await readdir(inside)).toEqual(["config.json"]);
});

test("a file that others could read is private after the next write", async () => {
  await using folder = await folderOfOurOwn();
  const path = join(folder.path, "config.json");
  await writeFile(path, '{"logins":{}}', { mode: 0o644 });
  await writeConfig(folder.path, await readConfig(folder.path));
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("no file means nobody is signed in; a damaged one is said to be", async () => {
  await using folder = await folderOfOurOwn();
  expect(await readConfig(folder.path)).toEqual({ logins: {} });
  for (const damaged of ["{", "[1", "null", '{"logins":{"a":{}}}', '{"url":1}']) {
    await writeFile(join(folder.path, "config.json"), damaged);
    await expect(readConfig(folder.path)).rejects.toMatchObject({ code: "bad-input" });
  }
});

test("names below localhost are dialled at 127.0.0.1", () => {
  expect(normalizeUrl("http://app.localhost:7700/workspaces")).toBe("http://127.0.0.1:7700");
  expect(normalizeUrl("http://localhost")).toBe("http://127.0.0.1");
  expect(normalizeUrl("https://app.example.org/")).toBe("https://app.example.org");
  expect(() => normalizeUrl("app.example.org")).toThrow(/no URL/);
  expect(() => normalizeUrl("file:///etc")).toThrow(/no URL/);
});

test("only this machine's own addresses are loopback", () => {
  expect(isLoopback("http://127.0.0.1:7700")).toBe(true);
  expect(isLoopback("http://[::1]:7700")).toBe(true);
  expect(isLoopback("http://127.0.0.1.example.org")).toBe(false);
  expect(isLoopback("https://app.example.org")).toBe(false);
});
