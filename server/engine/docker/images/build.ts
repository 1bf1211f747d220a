import { readFile, realpath } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { OneloopError } from "../../../protocol/errors.ts";
import { deadline } from "../../../util/deadline.ts";
import type { Base } from "./base.ts";
import { type ContextEntry, contextHash, contextTar } from "./context.ts";
import { type Trust, trustLabel } from "./trust.ts";
import { type ImageStep, followOutput, orMissing, stepError, stepTimeoutMs } from "./operation.ts";

export type OwnImage = "helper" | "supervisor" | "workspace";

export interface BuiltImage {
  /** `oneloop/<name>:<hash>` */
  readonly ref: string;
  readonly hash: string;
  readonly id: string;
}

/** What our builds, and nothing else, write into an image. */
const partLabel = "oneloop.part";
const part = "image";
/** The hash of all that went into it. */
const contentLabel = "oneloop.content";

/**
 * The image for this content: the one that is there, else built now. Its tag is the hash of all
 * that goes into it, so a changed input is another image and running workspaces keep theirs.
 *
 * @throws OneloopError `image-unavailable`, `engine-unreachable`, `cancelled`
 */
export async function ensureBuilt(
  step: ImageStep,
  name: OwnImage,
  options: { base: Base; root: string; trust: Trust },
): Promise<BuiltImage> {
  const { base, root, trust } = options;
  const folder = join(root, "workspace-image", "images", name);
  const advice =
    `Oneloop's ${name} image could not be built. The lines above say where it stopped; ` +
    "a build needs Debian's package mirrors. Start Oneloop again to try once more.";
  try {
    const entries: ContextEntry[] = [
      { name: ".", source: { path: folder } },
      { name: "ca-certificates.crt", source: { content: trust.bundle } },
      ...(await inputs(name, root)),
    ];
    const hash = await contextHash(entries, [base.id]);
    const ref = `oneloop/${name}:${hash}`;
    const present = await orMissing(step.docker.getImage(ref).inspect());
    // By its name alone an image of somebody else's could stand here.
    const isOurs =
      present?.Config.Labels?.[partLabel] === part && present.Config.Labels[contentLabel] === hash;
    if (present !== null && isOurs) return { ref, hash, id: present.Id };
    await build(step, entries, { ref, hash, name, base, trust });
    return { ref, hash, id: (await step.docker.getImage(ref).inspect()).Id };
  } catch (error) {
    throw stepError(error, step.signal, advice);
  }
}

async function build(
  step: ImageStep,
  entries: readonly ContextEntry[],
  image: { ref: string; hash: string; name: OwnImage; base: Base; trust: Trust },
): Promise<void> {
  const { docker } = step;
  step.onProgress(image.name, `building ${image.ref}`);
  using limit = deadline(step.signal, stepTimeoutMs);
  const output = await docker.buildImage(contextTar(entries), {
    t: image.ref,
    version: "2",
    buildargs: { BASE: image.base.ref },
    labels: { [partLabel]: part, [contentLabel]: image.hash, ...trustLabel(image.trust) },
    abortSignal: limit.signal,
  });
  await followOutput(docker, output, (line) => step.onProgress(image.name, line));
}

/** What goes into an image beside its own folder. */
async function inputs(name: OwnImage, root: string): Promise<ContextEntry[]> {
  switch (name) {
    case "helper":
      return [];
    case "supervisor":
      return [await nodeBinary(root), await supervisorProgram(root)];
    case "workspace":
      return [await nodeBinary(root), await npmPackage()];
  }
}

/** The version that a package's package.json says; `null` where there is no such package. */
async function packageVersion(folder: string): Promise<string | null> {
  const text = await readFile(join(folder, "package.json"), "utf8").catch(() => null);
  if (text === null) return null;
  const parsed: unknown = JSON.parse(text);
  const version =
    typeof parsed === "object" && parsed !== null && "version" in parsed ? parsed.version : null;
  return typeof version === "string" ? version : null;
}

async function nodeBinary(root: string): Promise<ContextEntry> {
  const packageName = `node-linux-${process.arch}`;
  const folder = join(root, "node_modules", packageName);
  const version = await packageVersion(folder);
  if (version === null) {
    throw new OneloopError(
      "image-unavailable",
      `The package ${packageName} is missing. Run npm install, without --omit=optional.`,
    );
  }
  const path = join(folder, "bin", "node");
  return { name: "node", source: { path }, identity: `${packageName}@${version}` };
}

async function supervisorProgram(root: string): Promise<ContextEntry> {
  const path = join(root, "dist", "supervisor");
  const entry = await readFile(join(path, "supervisor.js")).catch(() => null);
  if (entry === null) {
    throw new OneloopError(
      "image-unavailable",
      "The supervisor is not built. Run npm run build, then start Oneloop again.",
    );
  }
  return { name: "supervisor", source: { path } };
}

/** npm as this machine has it; Debian's own brings some 400 packages. Without one, none. */
async function npmPackage(): Promise<ContextEntry> {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const program = await realpath(join(folder, "npm")).catch(() => null);
    // A wrapper of a version manager is no link into the package.
    if (program === null || !program.endsWith(join("npm", "bin", "npm-cli.js"))) continue;
    const path = dirname(dirname(program));
    const version = await packageVersion(path);
    if (version !== null) return { name: "npm", source: { path }, identity: `npm@${version}` };
  }
  return { name: "npm", source: null };
}
