import { createHash } from "node:crypto";
import { basename, dirname } from "node:path/posix";
import { Readable } from "node:stream";
import { extract, pack } from "tar-stream";
import type { ServiceFile } from "../../engine/services.ts";
import { OneloopError, toOneloopError } from "../../protocol/errors.ts";
import type { Checkout } from "../../protocol/plan.ts";
import type { PlannedFile, PlannedService } from "../../protocol/service.ts";

/** A file or folder of a repository at a commit that the cache has, as a tar archive below its folder. */
export interface ReadArchive {
  (
    which: {
      readonly key: string;
      readonly commit: string;
      readonly path: string;
      readonly only?: string;
    },
    signal: AbortSignal,
  ): Promise<Readable>;
}

/** Where nothing is said. */
const usualMode = 0o644;
const programMode = 0o755;

/** What a filled service's files are known by: what is the same has the same. */
export function filesKey({ mirror }: PlannedService, checkout: Checkout | null): string {
  const files = mirror?.files ?? [];
  if (files.length === 0) return "";
  const isOfRepository = files.some(({ content }) => content.kind === "repository");
  const from = isOfRepository ? (checkout?.commit ?? "") : "";
  return createHash("sha256")
    .update(JSON.stringify([files, from]))
    .digest("hex");
}

/**
 * The files of a filled service, as its container gets them.
 *
 * @throws OneloopError `bad-input` where the repository has none of them
 */
export function readServiceFiles(
  { mirror }: PlannedService,
  {
    checkout,
    archive,
    signal,
  }: { checkout: Checkout | null; archive: ReadArchive; signal: AbortSignal },
): Promise<ServiceFile[]> {
  return Promise.all(
    (mirror?.files ?? []).map(async (file) => {
      const { content, mode } = await foundOf(file, { checkout, archive, signal });
      return { path: file.path, mode: file.mode ?? mode, content };
    }),
  );
}

/** What a file consists of, and the permission bits that it has where it comes from. */
type Found = Pick<ServiceFile, "content" | "mode">;

async function foundOf(
  { content, path }: PlannedFile,
  {
    checkout,
    archive,
    signal,
  }: { checkout: Checkout | null; archive: ReadArchive; signal: AbortSignal },
): Promise<Found> {
  if (content.kind === "text") {
    const text = content.parts.map((part) => ("text" in part ? part.text : "")).join("");
    return { mode: usualMode, content: { kind: "bytes", bytes: Buffer.from(text) } };
  }
  const missing = (cause?: unknown): OneloopError =>
    new OneloopError(
      "bad-input",
      `The repository has no ${content.path} at the opened commit, which is wanted at ${path}.`,
      { cause },
    );
  if (checkout === null) throw missing();
  const { url, key = url, commit } = checkout;
  if (content.path === "." || content.path === "") {
    const all = await archive({ key, commit, path: "" }, signal);
    return { mode: usualMode, content: { kind: "folder", archive: all } };
  }
  const folder = dirname(content.path);
  const only = basename(content.path);
  const which = { key, commit, path: folder === "." ? "" : folder, only };
  const stream = await archive(which, signal).catch((error: unknown) => {
    throw toOneloopError(error).code === "checkout-failed" ? missing(error) : error;
  });
  const found = await unpack(stream, only);
  if (found === null) throw missing();
  return found;
}

/** What an archive has under a name: a file's bytes, or a folder's archive with paths below it. */
async function unpack(archive: Readable, name: string): Promise<Found | null> {
  const entries = extract();
  const folder = pack();
  let isFolder = false;
  let file: Found | null = null;
  archive.on("error", (error) => entries.destroy(error));
  archive.pipe(entries);
  for await (const entry of entries) {
    const { header } = entry;
    const pieces: Buffer[] = [];
    for await (const piece of entry) pieces.push(piece as Buffer);
    const path = header.name.replace(/\/$/, "");
    const content = Buffer.concat(pieces);
    if (path === name && header.type === "file") {
      // git knows of a file only whether it is a program.
      const mode = ((header.mode ?? 0) & 0o100) === 0 ? usualMode : programMode;
      file = { mode, content: { kind: "bytes", bytes: content } };
    }
    if (path === name && header.type === "directory") isFolder = true;
    if (!path.startsWith(`${name}/`)) continue;
    isFolder = true;
    folder.entry({ ...header, name: header.name.slice(name.length + 1) }, content);
  }
  folder.finalize();
  if (file !== null || !isFolder) return file;
  return { mode: usualMode, content: { kind: "folder", archive: Readable.from(folder) } };
}
