import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, it } from "vitest";
import { checkoutScript } from "../../../server/workspaces/source.ts";
import { git, gitEnv } from "../../helpers/git.ts";

let folder: string;
/** The caches of the repositories, by name. */
let caches: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-checkout-"));
  caches = join(folder, "caches");
  await mkdir(caches);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A repository in the cache, with one file. */
async function cached(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const path = join(caches, `${name}.git`);
  await git(folder, "init", "--quiet", "--bare", "--initial-branch=main", path);
  await git(folder, "init", "--quiet", "--initial-branch=main", name);
  for (const [file, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name, file)), { recursive: true });
    await writeFile(join(folder, name, file), content);
    await git(join(folder, name), "add", "--all");
  }
  await git(join(folder, name), "commit", "--quiet", "--message=One");
  await git(join(folder, name), "push", "--quiet", path, "main");
  return path;
}

/** Runs the script of the checkout's job, with folders of this test for the job's own. */
async function checkOut(orders: {
  readonly args: readonly string[];
  readonly input: readonly string[];
}): Promise<{ exitCode: number | null; stderr: string }> {
  const home = join(folder, "home");
  await mkdir(home, { recursive: true });
  const script = checkoutScript
    .replaceAll("/volumes/source", join(folder, "source"))
    .replace("HOME=/tmp", `HOME=${home}`);
  const env = { ...gitEnv, PATH: `${join(folder, "bin")}:${gitEnv.PATH ?? ""}` };
  const child = spawn("sh", ["-eu", "-c", script, "checkout", ...orders.args], {
    env: { ...env, GIT_CONFIG_GLOBAL: join(home, ".gitconfig") },
    stdio: ["pipe", "ignore", "pipe"],
  });
  child.stdin.end(orders.input.map((line) => `${line}\n`).join(""));
  const closed = once(child, "close");
  const stderr = await text(child.stderr);
  await closed;
  return { exitCode: child.exitCode, stderr };
}

it("a second entry for a submodule's folder does not lead git into another's cache", async () => {
  // Both have this commit: a fork, or any commit that the other is known to have.
  const own = await cached("own", { "shared.txt": "shared\n" });
  const commit = await git(join(folder, "own"), "rev-parse", "HEAD");
  const secret = join(caches, "secret.git");
  await git(folder, "clone", "--quiet", "--bare", own, secret);
  await git(secret, "branch", "hidden", "main");
  const app = await cached("app", {
    ".gitmodules": [
      '[submodule "asked"]\n\tpath = sub\n\turl = https://h.example/own',
      '[submodule "never asked"]\n\tpath = sub\n\turl = https://h.example/own/../secret.git\n',
    ].join("\n"),
  });
  const tree = join(folder, "app");
  await mkdir(join(tree, "sub"));
  await git(tree, "update-index", "--add", "--cacheinfo", `160000,${commit},sub`);
  await git(tree, "commit", "--quiet", "--message=Two");
  await git(tree, "push", "--quiet", app, "main");
  const opened = await git(tree, "rev-parse", "HEAD");
  const done = await checkOut({
    args: [app, "app", "https://h.example/app", opened, "main", "", "origin"],
    input: ["", "", "asked", "sub", "https://h.example/own", own],
  });
  expect(done.exitCode, done.stderr).toBe(0);
  const config = await git(folder, "config", "--file", "source/app/.git/config", "--list");
  expect(config).not.toContain("secret");
  const refs = await git(join(folder, "source", "app"), "submodule", "foreach", "git branch -r");
  expect(refs).not.toContain("hidden");
});

it("a submodule comes from its cache, and remembers its own URL", async () => {
  const library = await cached("library", { "lib.txt": "of the library\n" });
  const commit = await git(join(folder, "library"), "rev-parse", "HEAD");
  const app = await cached("app", {
    ".gitmodules": '[submodule "a library"]\n\tpath = lib\n\turl = ../library.git\n',
  });
  const tree = join(folder, "app");
  await mkdir(join(tree, "lib"));
  await git(tree, "update-index", "--add", "--cacheinfo", `160000,${commit},lib`);
  await git(tree, "commit", "--quiet", "--message=Two");
  await git(tree, "push", "--quiet", app, "main");
  const url = "https://h.example/library.git";
  const done = await checkOut({
    args: [
      app,
      "app",
      "https://h.example/app",
      await git(tree, "rev-parse", "HEAD"),
      "main",
      "",
      "origin",
    ],
    input: ["", "", "a library", "lib", url, library],
  });
  expect(done.exitCode, done.stderr).toBe(0);
  const inside = join(folder, "source", "app", "lib");
  expect(await readFile(join(inside, "lib.txt"), "utf8")).toBe("of the library\n");
  expect(await git(inside, "config", "remote.origin.url")).toBe(url);
});

it("what stands where an LFS object's id should be is no path out of the cache", async () => {
  const app = await cached("app", { "other.git/mine": "a folder to copy to\n" });
  await mkdir(join(caches, "other.git"));
  await writeFile(join(caches, "other.git", "packed-refs"), "another's refs\n");
  await mkdir(join(app, "lfs", "objects"), { recursive: true });
  // As git-lfs lists a file whose name has a line break: the second line is the name's.
  const id = "a".repeat(64);
  const traversal = "../../other.git/packed-refs";
  await mkdir(join(folder, "bin"));
  const program = join(folder, "bin", "git-lfs");
  await writeFile(program, `#!/bin/sh\nprintf '%s - x\\n%s - y\\n' ${id} ${traversal}\n`);
  await chmod(program, 0o755);
  const opened = await git(join(folder, "app"), "rev-parse", "HEAD");
  const args = [app, "app", "https://h.example/app", opened, "main", "lfs", "origin"];
  const done = await checkOut({ args, input: [""] });
  expect(done.exitCode, done.stderr).toBe(0);
  const found = await git(folder, "grep", "--no-index", "-rl", "another's refs", "source").catch(
    () => "nothing",
  );
  expect(found).toBe("nothing");
});

it("a branch that is gone meanwhile is checked out from its commit", async () => {
  const app = await cached("app", { "a.txt": "one\n" });
  const tree = join(folder, "app");
  await git(tree, "commit", "--quiet", "--allow-empty", "--message=On a branch");
  await git(tree, "push", "--quiet", app, "HEAD:gone");
  await git(app, "update-ref", "-d", "refs/heads/gone");
  const opened = await git(tree, "rev-parse", "HEAD");
  const args = [app, "app", "https://h.example/app", opened, "gone", "", "origin"];
  const done = await checkOut({ args, input: [""] });
  expect(done.exitCode, done.stderr).toBe(0);
  const source = join(folder, "source", "app");
  expect(await git(source, "log", "-1", "--format=%D")).toBe("HEAD -> gone");
  expect(await git(source, "branch", "--format=%(refname:short)")).toBe("gone");
});

it("the remotes have their names, and the branch follows the one that it came from", async () => {
  const app = await cached("app", { "a.txt": "one\n" });
  const opened = await git(join(folder, "app"), "rev-parse", "HEAD");
  const [fork, origin, other] = ["fork", "origin", "other"].map((of) => `https://h.example/${of}`);
  const done = await checkOut({
    args: [app, "app", String(fork), opened, "main", "", "fork"],
    input: ["origin", String(origin), "a/other", String(other), ""],
  });
  expect(done.exitCode, done.stderr).toBe(0);
  const source = join(folder, "source", "app");
  expect((await git(source, "remote", "--verbose")).split("\n")).toEqual(
    [
      ["a/other", other],
      ["fork", fork],
      ["origin", origin],
    ].flatMap(([name, url]) => [`${name}\t${url} (fetch)`, `${name}\t${url} (push)`]),
  );
  expect(await git(source, "branch", "--format=%(refname:short) %(upstream:short)")).toBe(
    "main fork/main",
  );
});
