import type Dockerode from "dockerode";
import type { Execer } from "../../../util/execer.ts";
import { type Base, ensureBase } from "./base.ts";
import { type BuiltImage, ensureBuilt } from "./build.ts";
import { type ImageStep, orMissing, stepError } from "./operation.ts";
import { readTrust, type Trust } from "./trust.ts";
import { fillSupervisorVolume } from "./volume.ts";

export interface EnsureImagesOptions {
  readonly docker: Dockerode;
  /** The id of this installation, for the volume's name and label. */
  readonly installation: string;
  readonly settings: {
    readonly baseImage: string | undefined;
    /** PEM certificates to trust beside this machine's own. */
    readonly caFile: string | undefined;
  };
  readonly execer: Execer;
  /** The checkout's root folder. */
  readonly root: string;
  /** `step` is `base`, `helper`, `supervisor` or `workspace`. */
  readonly onProgress: (step: string, line: string) => void;
  readonly signal: AbortSignal;
}

export interface Images {
  /** git and iptables: one-shot jobs, and the sandbox (`/usr/local/bin/oneloop-sandbox`). */
  readonly helper: string;
  /** The default image of a workspace: what `oneloop/workspace:latest` means in a plan. */
  readonly workspace: string;
  /** The volume to mount read-only at `/.oneloop`. */
  readonly supervisorVolume: string;
  readonly supervisorImage: string;
  /** `Trust.ownId`: the images trust authorities that this machine's own images would not; or null. */
  readonly trustId: string | null;
}

/**
 * Makes what is missing of Oneloop's own images and of the supervisor's volume. Where nothing
 * changed it only inspects. A first run takes one to two minutes.
 *
 * @throws OneloopError `image-unavailable`, `engine-unreachable`, `cancelled`
 */
export async function ensureImages(options: EnsureImagesOptions): Promise<Images> {
  const { docker, onProgress, root, settings, execer, installation } = options;
  // When one build fails, the others are ended: nobody waits for them any more.
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const step: ImageStep = { docker, onProgress, signal };
  const trust = await readTrust(settings.caFile);
  const base = await ensureBase(step, { baseImage: settings.baseImage, execer });
  const made = async <Result>(making: Promise<Result>): Promise<Result> => {
    try {
      return await making;
    } catch (error) {
      failed.abort(error);
      // What the others then throw is only that they were ended.
      throw failed.signal.reason;
    }
  };
  const [helper, supervisor, workspace] = await Promise.all([
    made(ensureBuilt(step, "helper", { base, root, trust })),
    made(ensureSupervisor(step, { base, root, trust, installation })),
    made(ensureWorkspace(step, { base, root, trust })),
  ]);
  return { helper: helper.ref, workspace: workspace.ref, ...supervisor, trustId: trust.ownId };
}

async function ensureSupervisor(
  step: ImageStep,
  options: { base: Base; root: string; trust: Trust; installation: string },
): Promise<Pick<Images, "supervisorImage" | "supervisorVolume">> {
  const image = await ensureBuilt(step, "supervisor", options);
  const supervisorVolume = await fillSupervisorVolume(step, image, options.installation);
  return { supervisorImage: image.ref, supervisorVolume };
}

/**
 * `latest` is for a person at the engine's own command line; never an image with certificates of
 * one installation, as others share the engine.
 */
async function ensureWorkspace(
  step: ImageStep,
  options: { base: Base; root: string; trust: Trust },
): Promise<BuiltImage> {
  const image = await ensureBuilt(step, "workspace", options);
  if (options.trust.ownId !== null) return image;
  try {
    const latest = await orMissing(step.docker.getImage("oneloop/workspace:latest").inspect());
    if (latest?.Id !== image.id) {
      await step.docker.getImage(image.ref).tag({ repo: "oneloop/workspace", tag: "latest" });
    }
    return image;
  } catch (error) {
    throw stepError(error, step.signal, "The workspace image could not be tagged.");
  }
}
