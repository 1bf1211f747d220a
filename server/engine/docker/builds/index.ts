import { createHash } from "node:crypto";
import type Docker from "dockerode";
import { Readable } from "node:stream";
import { formatDiagnostic, OneloopError } from "../../../protocol/errors.ts";
import type { DockerfileInstruction } from "../../../sources/dockerfile/instruction.ts";
import { readDockerfile, type Dockerfile } from "../../../sources/dockerfile/read.ts";
import type { DockerfileStage } from "../../../sources/dockerfile/read.ts";
import {
  expandVariables,
  stageIndex,
  stagesFor,
  stepsOf,
} from "../../../sources/dockerfile/steps.ts";
import { deadline } from "../../../util/deadline.ts";
import type { ImageBuildRequest, ImageFacts } from "../../images.ts";
import type { StepOptions } from "../../steps.ts";
import { unless } from "../client.ts";
import { followOutput } from "../images/operation.ts";
import { label, type Names } from "../names.ts";
import { archiveOf, readContext, withFile, type BuildContext } from "./context.ts";
import type { BuildLimits } from "./limits.ts";
import { runStep, type BuildTrust } from "./run-step.ts";

export interface BuildParts {
  readonly docker: Docker;
  readonly names: Names;
  readonly run: string;
  readonly sandboxId: string;
  /** Null where the installation has no certificates of its own. */
  readonly trust: BuildTrust | null;
  readonly limits: BuildLimits;
  /** An image by its reference, pulled where it is absent. */
  readonly ensureImage: (ref: string, options: StepOptions) => Promise<Pick<ImageFacts, "id">>;
}

/** Where built images stand; the installation and the hash of all that went in follow. */
const repository = "oneloop-built";

/**
 * Builds an image of a repository, confined: each program of its Dockerfile runs in a container that
 * has the workspace's rules (it joins the sandbox's network), no NET_RAW, and limits. What runs no
 * program (COPY, ENV and the like) the engine's own builder does, which fetches nothing. The image's
 * name is the hash of the Dockerfile, the context, the arguments, the base images and the operator's
 * own certificates: what is unchanged is never built again, what changed always is.
 *
 * @throws OneloopError `devfile-invalid` with the Dockerfile's mistakes, `image-unavailable` where a
 * step fails, `bad-input` for a context that is too large or a stage that is not there,
 * `deadline-exceeded`
 */
export async function buildImage(
  parts: BuildParts,
  request: ImageBuildRequest,
  options: StepOptions,
): Promise<{ readonly ref: string; readonly built: boolean }> {
  const { timeoutMs } = parts.limits;
  using limit = deadline(options.signal, timeoutMs);
  try {
    return await buildWithin(parts, request, { ...options, signal: limit.signal });
  } catch (error) {
    if (!limit.signal.aborted || options.signal.aborted) throw error;
    throw new OneloopError(
      "deadline-exceeded",
      `The build of ${request.dockerfile} took longer than ${timeText(timeoutMs)} and was ended.`,
      { cause: error },
    );
  }
}

async function buildWithin(
  parts: BuildParts,
  request: ImageBuildRequest,
  options: StepOptions,
): Promise<{ readonly ref: string; readonly built: boolean }> {
  const { trust } = parts;
  const context = await readContext(request.archive, request.dockerfile);
  const dockerfile = parsed(context, request.dockerfile);
  const globals = globalArguments(dockerfile, request.args);
  const fromOf = (stage: DockerfileStage): string =>
    expandVariables(stage.from, globals, dockerfile.escape);
  const stages = stagesFor(dockerfile, request.target, fromOf);
  const bases = await baseImages(parts, { dockerfile, stages, fromOf }, options);
  const made = [version, request, context.hash, [...bases.values()]];
  const key = createHash("sha256")
    .update(JSON.stringify(trust === null ? made : [...made, trust.id], keyParts))
    .digest("hex")
    .slice(0, 32);
  const ref = `${repository}/${parts.names.installation}:${key}`;
  if ((await unless([404], parts.docker.getImage(ref).inspect())) !== null) {
    return { ref, built: false };
  }
  const building = new Building(parts, { context, dockerfile, globals, bases, request }, options);
  await building.run(stages, fromOf, ref);
  return { ref, built: true };
}

/** Raised when the same input gives another image. */
const version = 1;

/** Of a request only what makes the image another. */
function keyParts(key: string, value: unknown): unknown {
  return key === "owner" || key === "archive" || key === "reader" ? undefined : value;
}

function parsed(context: BuildContext, path: string): Dockerfile {
  const text = context.text(path);
  if (text === null) {
    throw new OneloopError("image-unavailable", `There is no ${path} in the build's context.`);
  }
  const read = readDockerfile(text, path);
  if (read.ok) return read.dockerfile;
  throw new OneloopError(
    "devfile-invalid",
    `${path} cannot be built here.\n${read.diagnostics.map(formatDiagnostic).join("\n")}`,
    { diagnostics: [...read.diagnostics] },
  );
}

function globalArguments(
  { globals, escape }: Dockerfile,
  given: Readonly<Record<string, string>>,
): Map<string, string> {
  const values = new Map<string, string>();
  for (const { name, value } of globals) {
    const own = Object.hasOwn(given, name) ? given[name] : undefined;
    const known = own ?? (value === null ? null : expandVariables(value, values, escape));
    if (known !== null) values.set(name, known);
  }
  return values;
}

/** Ids of the images that the stages start from or copy from, by the reference that names them. */
async function baseImages(
  { docker, ensureImage }: BuildParts,
  work: {
    dockerfile: Dockerfile;
    stages: readonly DockerfileStage[];
    fromOf: (stage: DockerfileStage) => string;
  },
  options: StepOptions,
): Promise<Map<string, string>> {
  const { stages: all } = work.dockerfile;
  const names = new Set<string>();
  for (const stage of work.stages) {
    const before = all.indexOf(stage);
    const taken = stage.instructions.flatMap((one) =>
      one.kind === "copy" && one.from !== null ? [one.from] : [],
    );
    for (const name of [work.fromOf(stage), ...taken]) {
      if (name !== "scratch" && stageIndex(all, name, before) === null) names.add(name);
    }
  }
  const bases = new Map<string, string>();
  for (const name of names) {
    const { id } = await ensureImage(name, options);
    const { Config } = await docker.getImage(id).inspect();
    if ((Config.OnBuild ?? []).length > 0) {
      throw new OneloopError(
        "image-unavailable",
        `The image ${name} has triggers (ONBUILD), which would run outside of the workspace's rules: build on another.`,
      );
    }
    bases.set(name, id);
  }
  return bases;
}

interface Work {
  readonly context: BuildContext;
  readonly dockerfile: Dockerfile;
  readonly globals: ReadonlyMap<string, string>;
  readonly bases: ReadonlyMap<string, string>;
  readonly request: ImageBuildRequest;
}

/** One build: goes through the stages, and remembers what each became. */
class Building {
  readonly #parts: BuildParts;
  readonly #work: Work;
  readonly #options: StepOptions;
  /** By the stage's number in the file. */
  readonly #results = new Map<number, string>();

  constructor(parts: BuildParts, work: Work, options: StepOptions) {
    this.#parts = parts;
    this.#work = work;
    this.#options = options;
  }

  async run(
    stages: readonly DockerfileStage[],
    fromOf: (stage: DockerfileStage) => string,
    ref: string,
  ): Promise<void> {
    let result = "";
    for (const stage of stages) {
      const index = this.#work.dockerfile.stages.indexOf(stage);
      result = await this.#stage(stage, fromOf(stage), index);
      this.#results.set(index, result);
    }
    // The labels last: an image under this name is whole.
    await this.#plain(result, [], {
      name: ref,
      labels: { ...this.#parts.names.installationLabels(), [label.part]: "built" },
    });
  }

  async #stage(stage: DockerfileStage, from: string, index: number): Promise<string> {
    const { dockerfile, request, globals } = this.#work;
    let image = from === "scratch" ? "scratch" : this.#imageOf(from, index);
    const args = new Map<string, string>();
    for (const step of stepsOf(stage)) {
      if (step.kind === "plain") {
        const before = new Map(args);
        for (const one of step.instructions) {
          if (one.kind !== "arg") continue;
          const given = Object.hasOwn(request.args, one.name) ? request.args[one.name] : undefined;
          const value =
            given ??
            (one.value === null
              ? globals.get(one.name)
              : expandVariables(
                  one.value,
                  new Map([...args, ...(await this.#env(image))]),
                  dockerfile.escape,
                ));
          if (value !== undefined) args.set(one.name, value);
        }
        const rest = step.instructions.filter(({ kind }) => kind !== "arg");
        if (rest.length > 0) {
          image = await this.#plain(image, step.instructions, { args, before, index });
        }
        continue;
      }
      const { Config } = await this.#parts.docker.getImage(image).inspect();
      this.#options.onProgress?.(oneLine(step.text));
      image = await runStep(
        { ...this.#parts, owner: request.owner, options: this.#options },
        { id: image, config: Config },
        { command: step.command, args, where: `${request.dockerfile}:${step.line}` },
      );
    }
    return image;
  }

  #imageOf(name: string, before: number): string {
    const stage = stageIndex(this.#work.dockerfile.stages, name, before);
    const image = stage === null ? this.#work.bases.get(name) : this.#results.get(stage);
    if (image !== undefined) return image;
    throw new OneloopError("image-unavailable", `The build has no image or stage ${name}.`);
  }

  async #env(image: string): Promise<Map<string, string>> {
    if (image === "scratch") return new Map();
    const { Config } = await this.#parts.docker.getImage(image).inspect();
    return new Map(
      (Config.Env ?? []).map((one: string) => {
        const at = one.indexOf("=");
        return [one.slice(0, at), one.slice(at + 1)] as const;
      }),
    );
  }

  /** Instructions that run nothing, by the engine's builder. */
  async #plain(
    image: string,
    instructions: readonly DockerfileInstruction[],
    more: {
      args?: ReadonlyMap<string, string>;
      before?: ReadonlyMap<string, string>;
      index?: number;
      name?: string;
      labels?: Record<string, string>;
    },
  ): Promise<string> {
    const { context, dockerfile } = this.#work;
    const lines = [
      `# escape=${dockerfile.escape}`,
      `FROM ${image}`,
      ...[...(more.before ?? new Map<string, string>()).keys()].map((name) => `ARG ${name}`),
      ...instructions.map((one) =>
        one.kind === "copy" && one.from !== null
          ? one.withFrom(this.#imageOf(one.from, more.index ?? 0))
          : one.text,
      ),
    ];
    const text = `${lines.join("\n")}\n`;
    for (const one of instructions) {
      if (one.kind !== "arg") this.#options.onProgress?.(oneLine(one.text));
    }
    const takesFiles = instructions.some((one) => one.kind === "copy" && one.from === null);
    // A name that no repository has: the context's own Dockerfile may be copied, too.
    const name = ".oneloop-step.Dockerfile";
    const tar = takesFiles
      ? await withFile(context.tar, { name, content: text })
      : await archiveOf({ [name]: text });
    return this.#build(tar, { dockerfile: name, ...more });
  }

  async #build(
    tar: Buffer,
    step: {
      dockerfile: string;
      args?: ReadonlyMap<string, string>;
      name?: string;
      labels?: Record<string, string>;
    },
  ): Promise<string> {
    const { docker } = this.#parts;
    let id = "";
    try {
      const output = await docker.buildImage(Readable.from([tar]), {
        dockerfile: step.dockerfile,
        version: "1",
        networkmode: "none",
        buildargs: Object.fromEntries(step.args ?? []),
        rm: true,
        forcerm: true,
        ...(step.name === undefined ? {} : { t: step.name }),
        ...(step.labels === undefined ? {} : { labels: step.labels }),
        abortSignal: this.#options.signal,
      });
      await followOutput(docker, output, (line) => {
        id = /^ ?---> ([0-9a-f]{12,64})$/.exec(line)?.[1] ?? id;
        id = /^Successfully built ([0-9a-f]{12,64})$/.exec(line)?.[1] ?? id;
      });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new OneloopError("image-unavailable", `${this.#work.request.dockerfile}: ${why}`, {
        cause: error,
      });
    }
    if (id !== "") return id;
    throw new OneloopError("image-unavailable", "The engine did not say what it built.");
  }
}

function timeText(ms: number): string {
  return ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} minutes`;
}

/** For a line of progress. */
function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " ").slice(0, 200);
}
