import { ensureImages, type Images } from "../../server/engine/docker/images/index.ts";
import { systemExecer } from "../../server/util/execer.ts";
import { docker, removeInstallation } from "./engine-objects.ts";
import { root } from "./installation.ts";

/**
 * Oneloop's own images (made where they are missing: a minute or two once) and a supervisor volume
 * of this test's installation. Disposing removes all of the installation, not the images.
 */
export async function testImages(installation: string): Promise<Images & AsyncDisposable> {
  const images = await ensureTestImages(installation);
  return { ...images, [Symbol.asyncDispose]: () => removeInstallation(installation) };
}

/** The same for who removes the installation, in the end. */
export function ensureTestImages(installation: string, caFile?: string): Promise<Images> {
  return ensureImages({
    docker,
    installation,
    settings: { baseImage: process.env["ONELOOP_BASE_IMAGE"], caFile },
    execer: systemExecer,
    root,
    onProgress: () => undefined,
    signal: AbortSignal.timeout(10 * 60 * 1000),
  });
}
