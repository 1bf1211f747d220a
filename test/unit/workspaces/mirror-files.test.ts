import { spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { extract } from "tar-stream";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ServiceFile } from "../../../server/engine/services.ts";
import type { PlannedFile } from "../../../server/protocol/service.ts";
import type { GitRunner } from "../../../server/repo/git-runner.ts";
import { Repositories } from "../../../server/repo/repositories.ts";
import { filesKey, readServiceFiles } from "../../../server/workspaces/mirror/service-files.ts";
import { git } from "../../helpers/git.ts";
import { mirrored } from "./mirror-rig.ts";

let folder: string;
let commit: string;
const binary = Buffer.from([0, 255, 128, 10, 0]);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ol-"));
  await mkdir(join(folder, "conf/nginx/sites"), { recursive: true });
  await writeFile(join(folder, "root.conf"), "root\n");
  await writeFile(join(folder, "conf/keys.jks"), binary);
  await writeFile(join(folder, "conf/nginx/nginx.conf"), "main\n");
  await writeFile(join(folder, "conf/nginx/sites/run.sh"), "#!/bin/sh\n");
  await chmod(join(folder, "conf/nginx/sites/run.sh"), 0o755);
  await writeFile(join(folder, "conf/-o.conf"), "dash\n");
  await git(folder, "init", "--quiet", "--initial-branch=main");
  await git(folder, "add", "-A");
  await git(folder, "commit", "--quiet", "-m", "files");
  commit = (await git(folder, "rev-parse", "HEAD")).trim();
});
afterAll(() => rm(folder, { recursive: true }));

/** The real git, with this folder's repository in the place of the cache's. */
const runner: GitRunner = {
  async run({ args }) {
    const here = args.map((arg) =>
      arg.startsWith("--git-dir=") ? `--git-dir=${join(folder, ".git")}` : arg,
    );
    const child = spawn("git", here, { stdio: ["ignore", "pipe", "pipe"] });
    const ended = new Promise<number>((resolve) => {
      child.once("close", (code) => resolve(code ?? 1));
    });
    const [stdout, stderr] = await Promise.all([buffer(child.stdout), buffer(child.stderr)]);
    return { exitCode: await ended, stdout, stderr: stderr.toString() };
  },
};

const of = (path: string): PlannedFile => ({
  path: "/etc/it",
  mode: null,
  content: { kind: "repository", path },
});

async function read(...files: PlannedFile[]): Promise<ServiceFile[]> {
  const repositories = new Repositories(runner);
  return readServiceFiles(mirrored("api", { files }), {
    checkout: { url: "https://git.example/app", ref: null, commit, path: "/workspace/app" },
    archive: (which, signal) => repositories.archive(which, signal),
    signal: AbortSignal.timeout(10_000),
  });
}

it("gives a file of the repository as it is, to the last byte", async () => {
  const files = await read(of("root.conf"), of("conf/keys.jks"), of("conf/-o.conf"));
  expect(files.map(({ content }) => content)).toEqual([
    { kind: "bytes", bytes: Buffer.from("root\n") },
    { kind: "bytes", bytes: binary },
    { kind: "bytes", bytes: Buffer.from("dash\n") },
  ]);
});

it("leaves a program of the repository one, unless production says otherwise", async () => {
  const script = of("conf/nginx/sites/run.sh");
  const modes = (await read(script, of("root.conf"), { ...script, mode: 0o400 })).map(
    ({ mode }) => mode,
  );
  expect(modes).toEqual([0o755, 0o644, 0o400]);
});

it("gives a folder of it as an archive with paths below it", async () => {
  const [one] = await read(of("conf/nginx"));
  if (one?.content.kind !== "folder") throw new Error("it is no folder");
  const found: [string, string | undefined, number | undefined][] = [];
  const entries = extract();
  one.content.archive.pipe(entries);
  for await (const entry of entries) {
    entry.resume();
    const { name, type, mode } = entry.header;
    found.push([name, type ?? undefined, type === "file" ? mode : undefined]);
  }
  expect(found).toEqual([
    ["nginx.conf", "file", 0o664],
    ["sites/", "directory", undefined],
    ["sites/run.sh", "file", 0o775],
  ]);
});

it("says which file the repository does not have", async () => {
  for (const path of ["conf/none", "none/nginx.conf", "*.conf"]) {
    await expect(read(of(path))).rejects.toMatchObject({
      code: "bad-input",
      message: expect.stringContaining(`The repository has no ${path} at the opened commit`),
    });
  }
});

it("texts have their mode, and others are known by another key", async () => {
  const text = (word: string): PlannedFile => ({
    path: "/etc/it",
    mode: 0o600,
    content: { kind: "text", parts: [{ text: word }] },
  });
  expect(await read(text("a"))).toEqual([
    { path: "/etc/it", mode: 0o600, content: { kind: "bytes", bytes: Buffer.from("a") } },
  ]);
  const checkout = { url: "u", ref: null, commit, path: "/workspace/app" };
  const other = { ...checkout, commit: "f".repeat(40) };
  const key = (file: PlannedFile, at = checkout) =>
    filesKey(mirrored("api", { files: [file] }), at);
  expect(key(text("a"))).toBe(key(text("a"), other));
  expect(key(text("a"))).not.toBe(key(text("b")));
  expect(key(of("root.conf"))).not.toBe(key(of("root.conf"), other));
});
