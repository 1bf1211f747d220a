import { createReadStream } from "node:fs";
import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OneloopError } from "../../../protocol/errors.ts";
import { deadline } from "../../../util/deadline.ts";
import type { Execer } from "../../../util/execer.ts";
import { type ImageStep, followOutput, orMissing, stepError, stepTimeoutMs } from "./operation.ts";

/** A name of ours: what we make ourselves must not pass for Debian's own image. */
const ownBase = { repo: "oneloop/base", tag: "bookworm" };
const upstream = "debian:bookworm-slim";

/** Without a way out a pull fails at once; where packets are dropped, this long is enough to know. */
const pullTimeoutMs = 20_000;

const advice =
  `There is no image to build on: ${upstream} cannot be pulled, and none could be made here. ` +
  "Set ONELOOP_BASE_IMAGE to a Debian image that the Docker engine has or can pull.";

export interface Base {
  readonly ref: string;
  readonly id: string;
}

export interface BaseOptions {
  /** The operator's. */
  readonly baseImage: string | undefined;
  readonly execer: Execer;
  /** Another machine than this one. */
  readonly machine?: { readonly root: boolean; readonly programs: string };
}

/** Where apt-get and mmdebstrap are. */
const thisMachine = { root: process.getuid?.() === 0, programs: "/usr/bin" };

/**
 * The Debian image that Oneloop's own images stand on: the operator's, the one that is there, the
 * upstream one, or one made with mmdebstrap (Debian and Ubuntu, as root), in this order.
 *
 * @throws OneloopError `image-unavailable`, `engine-unreachable`, `cancelled`
 */
export async function ensureBase(step: ImageStep, options: BaseOptions): Promise<Base> {
  try {
    if (options.baseImage !== undefined) return await operatorsBase(step, options.baseImage);
    const ref = `${ownBase.repo}:${ownBase.tag}`;
    return (
      (await inspect(step, ref)) ??
      (await pulledBase(step, ref)) ??
      (await madeBase(step, options, ref))
    );
  } catch (error) {
    throw stepError(error, step.signal, advice);
  }
}

async function inspect({ docker }: ImageStep, ref: string): Promise<Base | null> {
  const facts = await orMissing(docker.getImage(ref).inspect());
  return facts === null ? null : { ref, id: facts.Id };
}

async function operatorsBase(step: ImageStep, ref: string): Promise<Base> {
  const present = await inspect(step, ref);
  if (present !== null) return present;
  try {
    await pull(step, ref, stepTimeoutMs);
  } catch (error) {
    throw stepError(
      error,
      step.signal,
      `ONELOOP_BASE_IMAGE is ${ref}, and the Docker engine can neither find nor pull it.`,
    );
  }
  return { ref, id: (await step.docker.getImage(ref).inspect()).Id };
}

async function pull(step: ImageStep, ref: string, timeoutMs: number): Promise<void> {
  using limit = deadline(step.signal, timeoutMs);
  const output = await step.docker.pull(ref, { abortSignal: limit.signal });
  await followOutput(step.docker, output, (line) => step.onProgress("base", line));
}

async function pulledBase(step: ImageStep, ref: string): Promise<Base | null> {
  step.onProgress("base", `pulling ${upstream}`);
  try {
    await pull(step, upstream, pullTimeoutMs);
  } catch (error) {
    if (step.signal.aborted) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    step.onProgress("base", `${upstream} cannot be pulled: ${reason}`);
    return null;
  }
  await step.docker.getImage(upstream).tag(ownBase);
  return inspect(step, ref);
}

async function madeBase(
  step: ImageStep,
  { execer, machine = thisMachine }: BaseOptions,
  ref: string,
): Promise<Base> {
  const aptGet = join(machine.programs, "apt-get");
  if (!machine.root || !(await isThere(aptGet))) {
    throw new OneloopError("image-unavailable", advice);
  }

  const run = async (program: string, args: string[]): Promise<void> => {
    const { exitCode, stderr } = await execer.run(program, args, {
      timeoutMs: stepTimeoutMs,
      signal: step.signal,
      onLine: (line) => step.onProgress("base", line),
    });
    if (exitCode !== 0) throw new Error(`${program} failed (${exitCode}): ${stderr.slice(-2000)}`);
  };

  const mmdebstrap = join(machine.programs, "mmdebstrap");
  if (!(await isThere(mmdebstrap))) {
    const packages = ["mmdebstrap", "debian-archive-keyring"];
    await run(aptGet, ["update"]);
    await run(aptGet, ["install", "-y", "--no-install-recommends", ...packages]);
  }

  const folder = await mkdtemp(join(tmpdir(), "oneloop-base-"));
  try {
    const tar = join(folder, "base.tar");
    // An image's layer is thrown away when its build fails: syncing every file guards nothing.
    await run(mmdebstrap, ["--variant=minbase", "--dpkgopt=force-unsafe-io", ownBase.tag, tar]);
    step.onProgress("base", `importing ${ref}`);
    using limit = deadline(step.signal, stepTimeoutMs);
    const output = await step.docker.importImage(createReadStream(tar), {
      ...ownBase,
      changes: ["LABEL oneloop.part=image", 'CMD ["bash"]'],
      abortSignal: limit.signal,
    });
    await followOutput(step.docker, output, (line) => step.onProgress("base", line));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const base = await inspect(step, ref);
  if (base === null) throw new Error(`${ref} is missing after its import`);
  return base;
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
