import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type Docker from "dockerode";
import { extract, pack } from "tar-stream";
import { OneloopError } from "../../../protocol/errors.ts";
import { randomIds } from "../../../util/ids.ts";
import type { Owner, StepOptions } from "../../steps.ts";
import { statusOf } from "../client.ts";
import { removeContainer } from "../containers.ts";
import { label, type Names, type Role } from "../names.ts";
import { volumeMount } from "../volumes.ts";
import { maxContextBytes, tooLarge } from "./context.ts";

export interface ReadFolderParts {
  readonly docker: Docker;
  readonly names: Names;
  readonly helperImage: string;
  readonly run: string;
}

/** Where the volume is in the container that is made for it, and never started. */
const mountPath = "/volume";

/**
 * A tar archive of a folder of a volume. A container that never runs holds the volume; the engine
 * resolves the path inside of it, so that a link leads nowhere else.
 *
 * @param which.path below the volume's root; empty for all of it.
 */
export async function readFolder(
  { docker, names, helperImage, run }: ReadFolderParts,
  which: { readonly owner: Owner; readonly volume: string; readonly path: string },
  { signal }: StepOptions,
): Promise<Readable> {
  const { owner, volume, path } = which;
  const role: Role = "job";
  const mount = { owner, volume, path: mountPath, readOnly: true, noCopy: true };
  const container = await docker.createContainer({
    name: names.job(owner, "read", randomIds.id()),
    Image: helperImage,
    Labels: { ...names.containerLabels(owner), [label.role]: role, [label.run]: run },
    HostConfig: { NetworkMode: "none", Mounts: [volumeMount(names, mount)] },
  });
  try {
    const archive = await container.getArchive({
      path: `${mountPath}/${path}`,
      abortSignal: signal,
    });
    return Readable.from([await belowFirst(archive as Readable)]);
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
    throw new OneloopError(
      "image-unavailable",
      `There is no folder ${path || "."} in the repository.`,
    );
  } finally {
    await removeContainer(docker, container.id);
  }
}

/** The engine puts the folder's own name before each path. */
async function belowFirst(archive: Readable): Promise<Buffer> {
  const out = pack();
  const packed = buffer(Readable.from(out));
  let bytes = 0;
  for await (const entry of archive.pipe(extract())) {
    const { header } = entry;
    bytes += header.size ?? 0;
    if (bytes > maxContextBytes) throw tooLarge();
    const content = await buffer(entry);
    const name = header.name.replace(/^[^/]*\/?/, "");
    if (name !== "") out.entry({ ...header, name }, content);
  }
  out.finalize();
  return packed;
}
