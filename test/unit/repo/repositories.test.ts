import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseContextUrl } from "../../../server/repo/context-url.ts";
import type { GitRunner } from "../../../server/repo/git-runner.ts";
import { cachePath, parseRefs, Repositories } from "../../../server/repo/repositories.ts";
import { git, gitEnv } from "../../helpers/git.ts";

let folder: string;
let origin: string;
let main: string;
let proposed: string;
let repositories: Repositories;

/** This machine's git over a cache in a folder of the test's own. */
const runner: GitRunner = {
  async run({ args, stdin, env }) {
    const child = spawn(
      "git",
      args.map((arg) => arg.replace(cachePath, join(folder, "cache"))),
      { env: { ...gitEnv, ...env } },
    );
    const closed = once(child, "close");
    // A git that ended before it read all says so by its status.
    child.stdin.on("error", () => undefined);
    child.stdin.end(stdin ?? "");
    const [stdout, stderr] = await Promise.all([buffer(child.stdout), text(child.stderr)]);
    await closed;
    return { exitCode: child.exitCode ?? 1, stdout, stderr };
  },
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-repositories-"));
  origin = join(folder, "origin.git");
  const work = join(folder, "work");
  await git(folder, "init", "--quiet", "--bare", "--initial-branch=main", origin);
  await git(folder, "init", "--quiet", "--initial-branch=main", work);
  await git(work, "commit", "--quiet", "--allow-empty", "--message=One");
  await git(work, "push", "--quiet", origin, "main");
  main = await git(work, "rev-parse", "HEAD");
  await git(work, "commit", "--quiet", "--allow-empty", "--message=Proposed");
  await git(work, "push", "--quiet", origin, "HEAD:refs/pull/5/head");
  proposed = await git(work, "rev-parse", "HEAD");
  repositories = new Repositories(runner);
});

afterAll(() => rm(folder, { recursive: true }));

function of(page: string) {
  const url = parseContextUrl(`file://${origin}/${page}`);
  const remote = { url: url.remote, key: url.repositoryKey, localFolder: origin };
  const signal = AbortSignal.timeout(30_000);
  return { remote, signal, resolve: () => repositories.resolve(remote, url.target, signal) };
}

describe("a repository that was opened", () => {
  test("gives a pull request's commit, which no branch has", async () => {
    const { remote, signal, resolve } = of("pull/5");
    const resolved = await resolve();
    expect(resolved).toEqual({ ref: "refs/pull/5/head", commit: proposed, path: null });
    await repositories.ensureCommit(remote, resolved, signal);
    const wanted = { commit: proposed, paths: ["devfile.yaml"] };
    expect(await repositories.list(remote, wanted, signal)).toEqual([]);
  });

  test("lists its files, and gives the texts of those that are not too large", async () => {
    const { remote, signal } = of("");
    const work = join(folder, "files");
    await git(folder, "clone", "--quiet", origin, work);
    await mkdir(join(work, "a b"));
    const texts = { "a.txt": "one\n", "a b/ü.txt": "zwei", "empty.txt": "", ":x": "pathspec" };
    for (const [name, text] of Object.entries(texts)) await writeFile(join(work, name), text);
    await symlink("/etc/passwd", join(work, "link"));
    await git(work, "add", "--all");
    await git(work, "commit", "--quiet", "--message=Files");
    await git(work, "push", "--quiet", "origin", "HEAD:refs/heads/files");
    const commit = await git(work, "rev-parse", "HEAD");
    await repositories.ensureCommit(remote, { ref: "refs/heads/files", commit }, signal);
    const list = (...paths: string[]) => repositories.list(remote, { commit, paths }, signal);
    const top = await list();
    expect(top.map(({ path, kind, size }) => [path, kind, size])).toEqual([
      [":x", "file", 8],
      ["a b", "folder", 0],
      ["a.txt", "file", 4],
      ["empty.txt", "file", 0],
    ]);
    const files = [...top, ...(await list("a b/", "gone.txt", ":x"))];
    expect(files.slice(4).map(({ path }) => path)).toEqual([":x", "a b/ü.txt"]);
    const read = await repositories.texts(remote, { files, maxBytes: 7 }, signal);
    expect(Object.fromEntries(read)).toEqual({
      "a.txt": "one\n",
      "a b/ü.txt": "zwei",
      "empty.txt": "",
    });
  });

  test("knows an abbreviated commit that its remote shows no more", async () => {
    const { remote, signal, resolve } = of(`commit/${proposed.slice(0, 8)}`);
    await repositories.ensureCommit(remote, { ref: "refs/pull/5/head", commit: proposed }, signal);
    await git(origin, "update-ref", "-d", "refs/pull/5/head");
    expect(await resolve()).toEqual({ ref: null, commit: proposed, path: null });
    await git(origin, "update-ref", "refs/pull/5/head", proposed);
  });

  test("does not know the abbreviation of what is no commit", async () => {
    const tree = await git(origin, "rev-parse", `${main}^{tree}`);
    await expect(of(`commit/${tree.slice(0, 8)}`).resolve()).rejects.toMatchObject({
      code: "ref-not-found",
    });
  });

  test("says so when its remote is gone", async () => {
    const { remote, signal } = of("");
    const gone = { ...remote, localFolder: join(folder, "nothing.git") };
    await expect(
      repositories.resolve(gone, { kind: "head", path: null }, signal),
    ).rejects.toMatchObject({ code: "repository-unreachable" });
  });
});

describe("a commit that another asker brought into the cache", () => {
  test("is asked for again, and not given where the remote gives it to nobody here", async () => {
    const { remote, signal } = of("");
    const work = join(folder, "work");
    await git(work, "commit", "--quiet", "--allow-empty", "--message=Secret");
    const secret = await git(work, "rev-parse", "HEAD");
    await git(work, "reset", "--quiet", "--hard", "HEAD~1");
    await repositories.ensureCommit(remote, { ref: "refs/heads/main", commit: main }, signal);
    const theirs = { ...remote, localFolder: work };
    await git(work, "branch", "hidden", secret);
    await repositories.ensureCommit(theirs, { ref: "refs/heads/hidden", commit: secret }, signal);
    await expect(
      repositories.ensureCommit(remote, { ref: null, commit: secret }, signal),
    ).rejects.toMatchObject({ code: "ref-not-found" });
    await repositories.ensureCommit(theirs, { ref: null, commit: secret }, signal);
    await repositories.ensureCommit(remote, { ref: null, commit: main }, signal);
  });
});

describe("submodules", () => {
  test("are found among entries that git could not mean, and however many they are", async () => {
    const { remote, signal } = of("");
    const work = join(folder, "submodules");
    await git(folder, "init", "--quiet", "--initial-branch=main", work);
    const paths = Array.from({ length: 45 }, (_, index) => `lib-${index}`);
    const odd = ["", "/etc", "../above", ":(glob)**", "a/../b", "x".repeat(5000)];
    const entries = [...paths, ...odd].map(
      (path, index) => `[submodule "s${index}"]\n\tpath = "${path}"\n\turl = ../lib.git\n`,
    );
    await writeFile(join(work, ".gitmodules"), entries.join(""));
    await git(work, "add", ".gitmodules");
    for (const path of paths) {
      await git(work, "update-index", "--add", "--cacheinfo", `160000,${main},${path}`);
    }
    await git(work, "commit", "--quiet", "--message=Submodules");
    const commit = await git(work, "rev-parse", "HEAD");
    const theirs = { ...remote, key: "submodules", localFolder: work };
    await repositories.ensureCommit(theirs, { ref: "refs/heads/main", commit }, signal);
    const found = await repositories.submodules(theirs, commit, signal);
    expect(found.map(({ path }) => path)).toEqual(paths);
  });
});

test("who waits for another's fetch waits no longer than they want to", async () => {
  const { remote } = of("");
  const slow = { ...remote, key: "slow" };
  const wanted = { ref: "refs/heads/main", commit: main };
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const holding = new Repositories({
    async run(request) {
      if (request.args.includes("fetch")) await held;
      return runner.run(request);
    },
  });
  const first = holding.ensureCommit(slow, wanted, AbortSignal.timeout(30_000));
  const controller = new AbortController();
  const second = holding.ensureCommit(slow, wanted, controller.signal);
  controller.abort(new Error("no longer"));
  await expect(second).rejects.toThrow("no longer");
  release();
  await first;
});

test("over ssh, the words of what is wrong are ssh's, with what to do", async () => {
  const stderr = [
    "git@h.example: Permission denied (publickey).\r",
    "fatal: Could not read from remote repository.",
    "",
    "Please make sure you have the correct access rights",
    "and the repository exists.",
  ].join("\n");
  const refusing: GitRunner = {
    run: () => Promise.resolve({ exitCode: 128, stdout: Buffer.alloc(0), stderr }),
  };
  const remote = { url: "git@h.example:o/app.git", key: "x" };
  await expect(
    new Repositories(refusing).listRefs(remote, AbortSignal.timeout(1000)),
  ).rejects.toThrow(
    /read: git@h.example: Permission denied \(publickey\)\.\. If .*loop credentials set h\.example/,
  );
});

test("a remote's refs are taken without those that git itself would not take", () => {
  const id = "a".repeat(40);
  const lines = [
    "ref: refs/heads/-x\tHEAD",
    `${id}\tHEAD`,
    `${id}\trefs/heads/-x`,
    `${id}\trefs/heads/a\u001b[2J`,
    `${id}\trefs/heads/a..b`,
    `${id}\t--upload-pack=id`,
    `${id}\trefs/heads/feature/x`,
    `${id}\trefs/tags/v1^{}`,
  ];
  expect(parseRefs(lines.join("\n"))).toEqual({
    refs: [
      { name: "refs/heads/feature/x", commit: id },
      { name: "refs/tags/v1^{}", commit: id },
    ],
    head: { ref: null, commit: id },
  });
});
