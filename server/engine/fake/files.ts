import { buffer } from "node:stream/consumers";
import type { ServiceFile } from "../services.ts";

/** What was put into a member of the fake engine. */
export interface FakeFile {
  readonly path: string;
  readonly mode: number;
  readonly kind: "bytes" | "folder";
  /** Of a folder its archive. */
  readonly bytes: Buffer;
}

export async function readFakeFiles(files: readonly ServiceFile[]): Promise<FakeFile[]> {
  return Promise.all(
    files.map(async ({ path, mode, content }) => ({
      path,
      mode,
      kind: content.kind,
      bytes: content.kind === "bytes" ? content.bytes : await buffer(content.archive),
    })),
  );
}
