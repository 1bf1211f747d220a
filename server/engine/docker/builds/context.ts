import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import dockerignore from "@balena/dockerignore";
import { extract, pack, type Header } from "tar-stream";
import { OneloopError } from "../../../protocol/errors.ts";

/** A build's context: the files that its instructions may take, without those that it ignores. */
export interface BuildContext {
  /** A tar archive. */
  readonly tar: Buffer;
  /** SHA-256 over names, kinds, run bits and contents: what git's times are does not matter. */
  readonly hash: string;
  /** The text of a file in it, also of one that is ignored; null where there is none. */
  readonly text: (path: string) => string | null;
}

interface Entry {
  readonly header: Header;
  readonly content: Buffer;
}

/** More is no source any more: what is not needed belongs into .dockerignore. */
export const maxContextBytes = 512 * 1024 * 1024;

/**
 * Reads the archive of a context and leaves out what its .dockerignore names, as the engine's own
 * command line does before it sends a context (`<Dockerfile>.dockerignore` goes before it).
 *
 * @param archive a tar archive of the whole folder.
 * @param dockerfile the path of the Dockerfile in it.
 * @throws OneloopError `bad-input` for one that is too large or no archive
 */
export async function readContext(archive: Readable, dockerfile: string): Promise<BuildContext> {
  const entries = await entriesOf(archive);
  const text = (path: string): string | null =>
    entries.get(normal(path))?.content.toString("utf8") ?? null;
  const rules = text(`${dockerfile}.dockerignore`) ?? text(".dockerignore") ?? "";
  const ignore = dockerignore.default().add(rules.split(/\r?\n/));
  // What a build reads itself is never ignored (Dockerfile reference, ".dockerignore file").
  const kept = [...entries.values()].filter(
    ({ header }) =>
      header.type === "directory" ||
      normal(header.name) === normal(dockerfile) ||
      !ignore.ignores(normal(header.name)),
  );
  const hash = createHash("sha256");
  const out = pack();
  for (const { header, content } of kept) {
    const name = normal(header.name);
    if (header.type !== "directory") {
      hash.update(
        JSON.stringify([
          name,
          header.type,
          (header.mode ?? 0) & 0o111,
          header.linkname,
          content.length,
        ]),
      );
      hash.update(content);
    }
    // Times are the archive's: a layer of the same files shall be the same layer.
    const plain = { name, type: header.type, mode: header.mode, mtime: new Date(0) };
    if (header.type === "symlink") out.entry({ ...plain, linkname: header.linkname ?? "" });
    else out.entry({ ...plain, size: content.length }, content);
  }
  out.finalize();
  return { tar: await buffer(Readable.from(out)), hash: hash.digest("hex"), text };
}

/** The archive of a context of one file, for steps that take nothing of the real one. */
export async function archiveOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const out = pack();
  for (const [name, content] of Object.entries(files))
    out.entry({ name, mtime: new Date(0) }, content);
  out.finalize();
  return buffer(Readable.from(out));
}

/** The same archive with one file more, which stands before all others of its name. */
export async function withFile(
  tar: Buffer,
  file: { readonly name: string; readonly content: string },
): Promise<Buffer> {
  const one = await archiveOf({ [file.name]: file.content });
  // A tar archive ends with two empty blocks, and what follows a file's blocks is the next file.
  const fileBytes = 512 * (1 + Math.ceil(Buffer.byteLength(file.content) / 512));
  return Buffer.concat([one.subarray(0, fileBytes), tar]);
}

async function entriesOf(archive: Readable): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  let bytes = 0;
  try {
    for await (const entry of archive.pipe(extract())) {
      const { header } = entry;
      bytes += header.size ?? 0;
      if (bytes > maxContextBytes) throw tooLarge();
      const content = await buffer(entry);
      const plain =
        header.type === "file" || header.type === "symlink" || header.type === "directory";
      if (plain && normal(header.name) !== "")
        entries.set(normal(header.name), { header, content });
    }
  } catch (error) {
    if (error instanceof OneloopError) throw error;
    throw new OneloopError("bad-input", "The build's context could not be read.", { cause: error });
  }
  return entries;
}

/** A context that nobody meant to send. */
export function tooLarge(): OneloopError {
  return new OneloopError(
    "bad-input",
    `The build's context has over ${maxContextBytes / 1024 ** 2} MiB: name what it does not need in .dockerignore.`,
  );
}

function normal(path: string): string {
  return path.replace(/^(\.?\/)+/, "").replace(/\/+$/, "");
}
