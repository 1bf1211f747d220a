import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { git } from "./git.ts";

/** Files of a commit, by path. */
export type Files = Readonly<Record<string, string>>;

export interface MadeRepository {
  /** The bare repository's folder. */
  readonly path: string;
  /** The commit of `main`. */
  readonly commit: string;
}

/**
 * Makes the bare repository `<folder>/<name>.git` with one commit of `files` on `main`; `prepare`
 * may add to the working tree, such as a submodule, before the commit.
 */
export async function makeRepository(
  folder: string,
  name: string,
  { files, prepare }: { files: Files; prepare?: (tree: string) => Promise<void> },
): Promise<MadeRepository> {
  const tree = await mkdtemp(join(tmpdir(), `${name}-`));
  const path = join(folder, `${name}.git`);
  try {
    await git(tree, "init", "--quiet", "--initial-branch=main");
    await writeFiles(tree, files);
    await prepare?.(tree);
    await git(tree, "add", "--all");
    await git(tree, "commit", "--quiet", "--allow-empty", "--message", `The first of ${name}`);
    await git(tree, "clone", "--quiet", "--bare", "--no-hardlinks", tree, path);
    await git(path, "remote", "remove", "origin");
    return { path, commit: await git(path, "rev-parse", "main") };
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

/** Adds a commit of `files` to a branch of a bare repository. @returns the commit. */
export async function addCommit(bare: string, branch: string, files: Files): Promise<string> {
  const tree = await mkdtemp(join(tmpdir(), "commit-"));
  try {
    await git(tree, "clone", "--quiet", "--branch", branch, bare, "tree");
    const work = join(tree, "tree");
    await writeFiles(work, files);
    await git(work, "add", "--all");
    await git(work, "commit", "--quiet", "--message", "One more");
    await git(work, "push", "--quiet", "origin", branch);
    return await git(work, "rev-parse", "HEAD");
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

/** A pointer file of git-lfs (its docs/spec.md), and the id of the object that it stands for. */
export function lfsPointer(content: Buffer): { pointer: string; oid: string } {
  const oid = createHash("sha256").update(content).digest("hex");
  return {
    oid,
    pointer: `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${content.length}\n`,
  };
}

async function writeFiles(tree: string, files: Files): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const file = join(tree, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  }
}
