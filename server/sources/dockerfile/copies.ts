import { posix } from "node:path";
import type { DockerfileInstruction } from "./instruction.ts";
import { isPattern, matches } from "./patterns.ts";
import type { Dockerfile, DockerfileStage } from "./read.ts";
import { expandVariables, stageIndex, stagesFor } from "./steps.ts";

/** What a COPY or ADD of the build's context brings into the image: one for each thing it takes. */
export interface CopyRule {
  /** 1-based, of the instruction. */
  readonly line: number;
  /** Its place among all of the image's instructions: what is later lies above. */
  readonly order: number;
  /** What is taken, its names from the context's root on, as patterns; none: the whole context. */
  readonly from: readonly string[];
  /** Absolute, in the container. */
  readonly to: string;
  /** `to` is a folder that the file goes into; null: nobody can tell without the image. */
  readonly intoFolder: boolean | null;
  /** As the instruction has it, with variables filled in; null: root. */
  readonly chown: string | null;
  /** Programs of the build work on it, or its content does not arrive as it is. */
  readonly baked: boolean;
}

/** What a Dockerfile takes from its context, and where that is in the image. */
export interface CopyRules {
  readonly rules: readonly CopyRule[];
  /** Where content of other stages and images lies, which no file of the context stands for. */
  readonly shadows: readonly { readonly order: number; readonly to: string }[];
}

/** What a file of the context is to the image. */
export type CopyPlace =
  /** Nothing takes it. */
  | { readonly kind: "none" }
  /** A program of the build may have used it, or something else lies above it. */
  | { readonly kind: "baked"; readonly line: number }
  | {
      readonly kind: "copied";
      readonly to: readonly CopiedTo[];
    };

/** A place of a file in the image. */
export interface CopiedTo {
  readonly path: string;
  /** The folder that its instruction writes into: those between are the instruction's own. */
  readonly root: string;
  readonly chown: string | null;
  readonly line: number;
}

/** What the finished image says of itself. */
interface ImageSays {
  readonly workdir: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Which files of its context an image has as they are, and where: those that a COPY of the final
 * stage, or of the stages that it builds on, takes after the last program of them ran. What stands
 * before a RUN, and what other stages take, a program may have worked on: it is `baked`, as is all
 * whose place cannot be told for sure.
 *
 * @param image the built image: its folder and environment are the base's where the file says nothing.
 * @throws OneloopError `bad-input` for a target that is not there
 */
export function copyRules(
  dockerfile: Dockerfile,
  build: { readonly args: Readonly<Record<string, string>>; readonly target: string | null },
  image: ImageSays,
): CopyRules {
  const { stages, escape } = dockerfile;
  const globals = new Map<string, string>();
  for (const { name, value } of dockerfile.globals) {
    const known = build.args[name] ?? (value && expandVariables(value, globals, escape));
    if (known !== null) globals.set(name, known);
  }
  const fromOf = (stage: DockerfileStage): string => expandVariables(stage.from, globals, escape);
  const needed = stagesFor(dockerfile, build.target, fromOf);
  const chain: DockerfileStage[] = [];
  for (let stage = needed.at(-1); stage !== undefined;) {
    chain.unshift(stage);
    const before = stageIndex(stages, fromOf(stage), stages.indexOf(stage));
    stage = before === null ? undefined : stages[before];
  }
  const reading = new Reading({ globals, args: build.args, escape, image }, chain);
  const rules = [...reading.rules];
  for (const stage of needed) {
    if (chain.includes(stage)) continue;
    for (const one of stage.instructions) {
      if (one.kind !== "copy" || one.from !== null) continue;
      for (const source of one.operands.slice(0, -1)) {
        rules.push(elsewhere(source, one.line));
      }
    }
  }
  return { rules, shadows: reading.shadows };
}

/** What another stage takes. */
function elsewhere(source: string, line: number): CopyRule {
  // A variable may stand for anything.
  const from = source.includes("$") ? [] : partsOf(source);
  return { line, order: -1, from, to: "/", intoFolder: null, chown: null, baked: true };
}

interface Given {
  readonly globals: ReadonlyMap<string, string>;
  readonly args: Readonly<Record<string, string>>;
  readonly escape: string;
  readonly image: ImageSays;
}

type Copy = DockerfileInstruction & { readonly kind: "copy" };

/** Goes through the stages that an image is made of, as the builder does. */
class Reading {
  readonly rules: CopyRule[] = [];
  readonly shadows: { order: number; to: string }[] = [];
  readonly #given: Given;
  readonly #env: Map<string, string>;
  readonly #folders = new Set<string>(["/"]);
  #args = new Map<string, string>();
  /** Null: the base image's, which nobody knows. */
  #workdir: string | null;
  #order = 0;
  #lastRun = -1;

  constructor(given: Given, chain: readonly DockerfileStage[]) {
    this.#given = given;
    const { image } = given;
    const all = chain.flatMap(({ instructions }) => instructions);
    const set = new Set(all.flatMap((one) => variablesOf(one).map(([name]) => name)));
    // What the image says in the end is the base's word where the file has none.
    this.#env = new Map(Object.entries(image.env).filter(([name]) => !set.has(name)));
    const moves = all.some((one) => one.kind === "setting" && one.keyword === "WORKDIR");
    this.#workdir = moves ? null : rooted(image.workdir);
    for (const stage of chain) {
      this.#args = new Map();
      for (const one of stage.instructions) this.#read(one);
    }
    // Where it ends elsewhere than the image does, something was read otherwise than it was built.
    const strayed = moves && this.#workdir !== rooted(image.workdir);
    this.rules = this.rules.map((rule) => ({
      ...rule,
      baked: rule.baked || strayed || rule.order < this.#lastRun,
    }));
  }

  #read(one: DockerfileInstruction): void {
    this.#order += 1;
    switch (one.kind) {
      case "run":
        this.#lastRun = this.#order;
        break;
      case "arg":
        this.#arg(one.name, one.value);
        break;
      case "copy":
        this.#copy(one);
        break;
      case "setting":
        for (const [name, value] of variablesOf(one)) this.#env.set(name, this.#fill(value));
        if (one.folder !== undefined) this.#move(this.#fill(one.folder));
        break;
      default:
        one satisfies never;
    }
  }

  #arg(name: string, value: string | null): void {
    const { args, globals } = this.#given;
    const known = args[name] ?? (value === null ? globals.get(name) : this.#fill(value));
    if (known !== undefined) this.#args.set(name, known);
  }

  #move(folder: string): void {
    if (folder.startsWith("/")) this.#workdir = rooted(folder);
    else if (this.#workdir !== null) this.#workdir = rooted(`${this.#workdir}/${folder}`);
    if (this.#workdir !== null) this.#folders.add(this.#workdir);
  }

  #copy(one: Copy): void {
    const last = this.#fill(one.operands.at(-1) ?? "");
    const sources = one.operands.slice(0, -1).map((source) => this.#fill(source));
    const to = last.startsWith("/") ? rooted(last) : this.#below(last);
    const order = this.#order;
    if (one.from !== null) {
      this.shadows.push({ order, to: to ?? "/" });
      return;
    }
    const isFolder = sources.length > 1 || /(^|\/)\.?$/.test(last) || this.#folders.has(to ?? "");
    if (isFolder && to !== null) this.#folders.add(to);
    const chown = one.chown === null ? null : this.#fill(one.chown);
    for (const source of sources) {
      const from = partsOf(source);
      const baked = to === null || (one.unpacks && archive.test(source));
      this.rules.push({
        ...{ line: one.line, order, from, to: to ?? "/", chown, baked },
        intoFolder: isFolder ? true : intoFolder(source, to ?? "/"),
      });
    }
  }

  #below(path: string): string | null {
    return this.#workdir === null ? null : rooted(`${this.#workdir}/${path}`);
  }

  #fill(text: string): string {
    return expandVariables(text, new Map([...this.#args, ...this.#env]), this.#given.escape);
  }
}

/** What ADD may unpack, or a pattern that may match one. */
const archive = /\.(tar|tgz|gz|bz2|tbz2?|xz|txz|zst)$|[*?\]]$/i;

function variablesOf(one: DockerfileInstruction): readonly (readonly [string, string])[] {
  return one.kind === "setting" ? (one.variables ?? []) : [];
}

/** For one file and a destination without a slash: false where that is clearly a file's name. */
function intoFolder(source: string, to: string): boolean | null {
  if (source.split("/").some(isPattern)) return null;
  const [own, other] = [posix.extname(source), posix.extname(to)];
  const name = posix.basename(to);
  const sameName = posix.basename(source) === name;
  return sameName || (own !== "" && (own === other || own === name)) ? false : null;
}

function rooted(path: string): string {
  return posix.normalize(`/${path}`).replace(/(.)\/$/, "$1");
}

function partsOf(source: string): string[] {
  return rooted(source)
    .split("/")
    .filter((part) => part !== "");
}

/**
 * Where a file of the context is in the image.
 *
 * @param path below the context's root.
 * @param isFolder it is, or was, a folder: what is in it goes with it.
 */
export function placeOf(
  { rules, shadows }: CopyRules,
  { path, isFolder }: { readonly path: string; readonly isFolder: boolean },
): CopyPlace {
  const parts = path.split("/");
  const found: { rule: CopyRule; to: string }[] = [];
  for (const rule of rules) {
    const to = targetOf(rule, { parts, isFolder });
    if (to === null) continue;
    if (rule.baked || to === "unknown") return { kind: "baked", line: rule.line };
    found.push({ rule, to });
  }
  const [first] = found;
  if (first === undefined) return { kind: "none" };
  const isFound = (rule: CopyRule, to: string): boolean =>
    found.some((same) => same.rule === rule && same.to === to);
  for (const { rule, to } of found) {
    const meets = (other: string): boolean =>
      isWithin(to, other) || (isFolder && isWithin(other, to));
    const isShadowed =
      shadows.some((other) => other.order > rule.order && meets(other.to)) ||
      rules.some(
        (other) =>
          // A single file under a name of its own lies above nothing else.
          other.order > rule.order && meets(fileOf(other) ?? other.to) && !isFound(other, to),
      );
    if (isShadowed) return { kind: "baked", line: rule.line };
  }
  return {
    kind: "copied",
    to: found.map(({ rule, to }) => ({
      path: to,
      root: to === rule.to ? posix.dirname(to) : rule.to,
      chown: rule.chown,
      line: rule.line,
    })),
  };
}

/** Where a rule puts the one file that it takes; null where it may take more. */
function fileOf({ from, to, intoFolder: into }: CopyRule): string | null {
  const name = from.at(-1);
  if (name === undefined || from.some(isPattern)) return null;
  if (into === false) return to;
  // Without an extension it may be a folder, whose content would go there.
  return into === true && posix.extname(name) !== "" ? posix.join(to, name) : null;
}

/** Null: the rule does not take it; `unknown`: where it goes, only the image can tell. */
function targetOf(
  rule: CopyRule,
  { parts, isFolder }: { parts: readonly string[]; isFolder: boolean },
): string | null {
  const { from, to, intoFolder: into } = rule;
  const shared = Math.min(from.length, parts.length);
  for (let index = 0; index < shared; index += 1) {
    if (!matches(from[index] ?? "", parts[index] ?? "")) return null;
  }
  if (parts.length > from.length) return posix.join(to, ...parts.slice(from.length));
  // A folder around what is taken, or that itself: what becomes of it the builder decides.
  if (parts.length < from.length) return isFolder ? "unknown" : null;
  if (isFolder || into === null) return "unknown";
  return into ? posix.join(to, parts.at(-1) ?? "") : to;
}

function isWithin(path: string, folder: string): boolean {
  return folder === "/" || path === folder || path.startsWith(`${folder}/`);
}

/**
 * The folders of the image that files of the context go into as they are: each as near to the files
 * as can be told.
 */
export function copiedFolders({ rules }: CopyRules): string[] {
  const folders = rules
    .filter(({ baked }) => !baked)
    .map(({ from, to, intoFolder: into }) =>
      into === true || from.length === 0 ? to : posix.dirname(to),
    );
  return [...new Set(folders)]
    .filter((one) => !folders.some((other) => other !== one && isWithin(one, other)))
    .sort();
}
