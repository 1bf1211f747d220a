import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { extract } from "tar-stream";
import type { Owner } from "../../engine/steps.ts";
import { OneloopError } from "../../protocol/errors.ts";
import { controlPlaneActor } from "../../protocol/supervisor.ts";
import { collectWithin } from "../../terminals/collect-within.ts";
import type { Supervisors } from "../../terminals/supervisors.ts";
import { deadline } from "../../util/deadline.ts";

/** Files of a person's own machine-sized editor; what takes longer hangs. */
const readTimeoutMs = 30_000;

/** Of one save: what is larger is the image's to carry. */
const maxReadBytes = 32 * 1024 * 1024;

/** A file or link as it is in the workspace. */
export interface SourceFile {
  readonly mode: number;
  readonly modifiedMs: number;
  readonly content:
    | { readonly kind: "bytes"; readonly bytes: Buffer }
    | { readonly kind: "link"; readonly to: string };
}

/**
 * Files of a folder of a running workspace, as they are now, read there as its own user; those that
 * are not there are missing in the answer. It is a stranger's word: only what was asked for is taken.
 *
 * @throws OneloopError `bad-input` where they are too large
 */
export async function readSources(
  supervisors: Pick<Supervisors, "exec">,
  which: { readonly owner: Owner; readonly folder: string; readonly paths: readonly string[] },
  signal: AbortSignal,
): Promise<Map<string, SourceFile>> {
  const { owner, folder, paths } = which;
  const files = new Map<string, SourceFile>();
  if (paths.length === 0) return files;
  const tar = ["/.oneloop/bin/busybox", "tar", "-c", "-f", "-", "-C", folder, "--"];
  using stream = await supervisors.exec(
    { owner, actor: controlPlaneActor },
    { argv: [...tar, ...paths.map((path) => `./${path}`)], cwd: "/", env: {} },
  );
  using limit = deadline(signal, readTimeoutMs);
  const { stdout } = await collectWithin(stream, {
    signal: limit.signal,
    maxOutputBytes: maxReadBytes,
  });
  limit.signal.throwIfAborted();
  const wanted = new Set(paths);
  const entries = extract();
  Readable.from([stdout]).pipe(entries);
  try {
    for await (const entry of entries) {
      const { name, type, mode, mtime, linkname } = entry.header;
      const bytes = await buffer(entry);
      const path = name.replace(/^\.\//, "");
      if (!wanted.has(path)) continue;
      const plain = { mode, modifiedMs: mtime?.getTime() ?? 0 };
      if (type === "file") files.set(path, { ...plain, content: { kind: "bytes", bytes } });
      if (type === "symlink") {
        files.set(path, { ...plain, content: { kind: "link", to: linkname ?? "" } });
      }
    }
  } catch (error) {
    throw new OneloopError("bad-input", "What was saved is too large to be put in place.", {
      cause: error,
    });
  }
  return files;
}
