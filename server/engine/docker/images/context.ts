import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readFile, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pack, type Pack } from "tar-stream";

/** A file or folder of a build context. */
export interface ContextEntry {
  /** Where it stands in the context. */
  readonly name: string;
  /** A path to copy, the content itself, or `null` for an empty folder. */
  readonly source: { readonly path: string } | { readonly content: string } | null;
  /**
   * Stands for the content in the hash: for what is large and never changes under one name, such
   * as a package's version. Without it the content itself is hashed.
   */
  readonly identity?: string;
}

/** A file of a context, found by walking the entries. */
interface ContextFile {
  readonly name: string;
  readonly kind: "file" | "directory" | "symlink";
  readonly executable: boolean;
  /** Bytes; 0 for what is no file. */
  readonly size: number;
  /** The path to read, the content, or a symlink's target. */
  readonly source: { readonly path: string } | { readonly content: string };
}

async function* walk(name: string, source: ContextEntry["source"]): AsyncGenerator<ContextFile> {
  if (source === null) {
    yield { name, kind: "directory", executable: true, size: 0, source: { content: "" } };
    return;
  }
  if ("content" in source) {
    const size = Buffer.byteLength(source.content);
    yield { name, kind: "file", executable: false, size, source };
    return;
  }
  const { path } = source;
  const stat = await lstat(path);
  if (stat.isDirectory()) {
    yield { name, kind: "directory", executable: true, size: 0, source };
    for (const child of (await readdir(path)).toSorted()) {
      yield* walk(`${name}/${child}`, { path: join(path, child) });
    }
  } else if (stat.isSymbolicLink()) {
    const content = await readlink(path);
    yield { name, kind: "symlink", executable: true, size: 0, source: { content } };
  } else {
    const executable = (stat.mode & 0o100) !== 0;
    yield { name, kind: "file", executable, size: stat.size, source };
  }
}

/**
 * The first 12 hexadecimal digits of a SHA-256 over the entries (names, kinds, run bits, contents)
 * and over `more`. Times and owners do not count: the same checkout elsewhere has the same hash.
 */
export async function contextHash(
  entries: readonly ContextEntry[],
  more: readonly string[],
): Promise<string> {
  const hash = createHash("sha256");
  // Lengths before contents: two different lists never feed the same bytes.
  const feed = (part: string | Buffer): void => {
    hash.update(`${Buffer.byteLength(part)}:`).update(part);
  };
  more.forEach(feed);
  for (const entry of entries) {
    if (entry.identity !== undefined) {
      feed(entry.name);
      feed(entry.identity);
      continue;
    }
    for await (const file of walk(entry.name, entry.source)) {
      feed(`${file.kind} ${file.executable ? "x" : "-"} ${file.name}`);
      if ("content" in file.source) feed(file.source.content);
      else if (file.kind === "file") feed(await readFile(file.source.path));
    }
  }
  return hash.digest("hex").slice(0, 12);
}

/** The entries as a tar stream. An error while reading destroys the stream with it. */
export function contextTar(entries: readonly ContextEntry[]): Readable {
  const tar = pack();
  void (async () => {
    for (const entry of entries) {
      for await (const file of walk(entry.name, entry.source)) await add(tar, file);
    }
    tar.finalize();
  })().catch((error: unknown) => {
    tar.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  return Readable.from(tar);
}

async function add(tar: Pack, file: ContextFile): Promise<void> {
  const { name, source, size } = file;
  const mode = file.executable ? 0o755 : 0o644;
  switch (file.kind) {
    case "directory":
      tar.entry({ name, type: "directory", mode });
      return;
    case "symlink":
      tar.entry({ name, type: "symlink", linkname: "content" in source ? source.content : "" });
      return;
    case "file":
      if ("content" in source) tar.entry({ name, mode }, source.content);
      else await pipeline(createReadStream(source.path), tar.entry({ name, mode, size }));
  }
}
