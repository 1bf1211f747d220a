import { posix } from "node:path";
import dockerignore from "@balena/dockerignore";
import { formatPlace } from "../../protocol/fact.ts";
import type { MirroredService } from "../../protocol/service.ts";
import type { PlannedBuild } from "../../protocol/plan.ts";
import {
  copiedFolders,
  copyRules,
  placeOf,
  type CopiedTo,
  type CopyRules,
} from "../../sources/dockerfile/copies.ts";
import { readDockerfile } from "../../sources/dockerfile/read.ts";

/** What a saved file of a build's context is for the container that runs the image. */
export type SyncAction =
  /** Nothing of the image comes from it. */
  | { readonly do: "nothing" }
  | { readonly do: "rebuild"; readonly why: string }
  | { readonly do: "restart" }
  /** `restarts` null: as its program needs it. */
  | {
      readonly do: "copy";
      readonly to: readonly CopiedTo[];
      readonly restarts: boolean | null;
    };

type GivenRule = NonNullable<MirroredService["sync"]>[number];

export interface SyncSource {
  readonly build: PlannedBuild;
  /** Rules of production's own description: they go before the Dockerfile's lines. */
  readonly given: readonly GivenRule[];
  /** The Dockerfile as it is in the workspace; null: there is none. */
  readonly dockerfile: string | null;
  /** The text of what the context leaves out. */
  readonly ignore: string | null;
  /** The built image. */
  readonly image: { readonly workdir: string; readonly env: Readonly<Record<string, string>> };
}

/** What is never watched: what git and a package manager keep is no source. */
const alwaysSkipped = String.raw`(^|/)(\.git|node_modules)(/|$)`;

/** How a build's files get into the container that runs its image. */
export class Sync {
  readonly #build: PlannedBuild;
  readonly #rules: CopyRules | null;
  readonly #ignored: (path: string) => boolean;
  readonly #given: readonly {
    readonly rule: GivenRule;
    /** Below the context. */
    readonly path: string;
    readonly fits: (below: string) => boolean;
  }[];

  constructor({ build, given, dockerfile, ignore, image }: SyncSource) {
    this.#build = build;
    this.#given = given.map((rule) => {
      const path = posix.relative(build.context || ".", rule.path);
      const [drops, takes] = [
        ignoredBy(rule.ignore.join("\n")),
        ignoredBy(rule.include.join("\n")),
      ];
      const fits = (below: string): boolean =>
        !drops(below) && (rule.include.length === 0 || takes(below));
      return { rule, path, fits };
    });
    const read = dockerfile === null ? null : readDockerfile(dockerfile, build.dockerfile);
    // One with mistakes is for the builder to say.
    this.#rules = read?.ok === true ? copyRules(read.dockerfile, build, image) : null;
    this.#ignored = ignoredBy(ignore);
  }

  /** Folders of the image that files are copied to. */
  get folders(): string[] {
    const given = this.#given.flatMap(({ rule }) => {
      if (rule.target === null) return [];
      // One file is alike in its name there; whatever else is a folder.
      const isFile = posix.basename(rule.path) === posix.basename(rule.target);
      const isPlain = isFile && posix.extname(rule.path) !== "";
      return [isPlain ? posix.dirname(rule.target) : posix.resolve("/", rule.target)];
    });
    const all = [...given, ...(this.#rules === null ? [] : copiedFolders(this.#rules))];
    const around = (one: string): boolean =>
      all.some((other) => other !== one && one.startsWith(`${other === "/" ? "" : other}/`));
    return [...new Set(all)].filter((one) => !around(one)).sort();
  }

  /** For people: what is copied, where, and by which line. */
  get shown(): { from: string; to: string | null; where: string; restarts: boolean | null }[] {
    const { context, dockerfile } = this.#build;
    const given = this.#given.map(({ rule }) => ({
      from: rule.path,
      to: rule.target,
      where: formatPlace(rule.where),
      restarts: rule.action === "rebuild" ? null : rule.action !== "sync",
    }));
    const derived = (this.#rules?.rules ?? []).map(({ from, to, line, baked }) => ({
      from: posix.join(context, ...from) || ".",
      to: baked ? null : to,
      where: `${posix.join(context, dockerfile)}:${line}`,
      restarts: null,
    }));
    return [...given, ...derived];
  }

  /** @param path below the context. */
  actionFor(path: string, isFolder: boolean): SyncAction {
    const { dockerfile } = this.#build;
    if (path === dockerfile) return { do: "rebuild", why: "the image is made from it" };
    if (path === ".dockerignore" || path === `${dockerfile}.dockerignore`) {
      return { do: "rebuild", why: "it says what the image is made from" };
    }
    if (this.#ignored(path)) return { do: "nothing" };
    const given = this.#givenFor(path, isFolder);
    if (given !== null) return given;
    if (this.#rules === null) return { do: "rebuild", why: "the Dockerfile could not be read" };
    const place = placeOf(this.#rules, { path, isFolder });
    switch (place.kind) {
      case "none":
        return { do: "nothing" };
      case "baked":
        return {
          do: "rebuild",
          why: `${dockerfile}:${place.line} takes it, and a program of the build may work on it`,
        };
      case "copied":
        return { do: "copy", to: place.to, restarts: null };
      default:
        return place satisfies never;
    }
  }

  #givenFor(path: string, isFolder: boolean): SyncAction | null {
    for (const { rule, path: from, fits } of this.#given) {
      const below = from === "" ? path : posix.relative(from, path);
      if (below.startsWith("..") || (below !== "" && !fits(below))) continue;
      switch (rule.action) {
        case "rebuild":
          return { do: "rebuild", why: `${formatPlace(rule.where)} says so` };
        case "restart":
          return { do: "restart" };
        case "sync":
        case "sync+restart": {
          // The taken folder itself is gone: nothing is left to put there.
          if (below === "" && isFolder) return { do: "rebuild", why: "all of it is gone" };
          const target = posix.resolve("/", rule.target ?? "/");
          const place = posix.join(target, below);
          const root = below === "" ? posix.dirname(place) : target;
          const to = {
            path: place,
            root,
            chown: null,
            line: "line" in rule.where ? rule.where.line : 0,
          };
          return { do: "copy", to: [to], restarts: rule.action === "sync+restart" };
        }
        default:
          return rule.action satisfies never;
      }
    }
    return null;
  }
}

/** As the build leaves files out of its context (Dockerfile reference, ".dockerignore file"). */
function ignoredBy(text: string | null): (path: string) => boolean {
  if (text === null || text === "") return () => false;
  const ignore = dockerignore.default().add(text.split(/\r?\n/));
  return (path) => ignore.ignores(path);
}

/**
 * What need not be watched in a context, as sources of regular expressions: a folder that the context
 * leaves out whole may be larger than all else. Patterns that only a build understands are left to
 * `Sync`.
 */
export function skipped(ignore: string | null): string[] {
  const lines = (ignore ?? "").split(/\r?\n/).map((line) => line.trim());
  if (lines.some((line) => line.startsWith("!"))) return [alwaysSkipped];
  const names = lines.flatMap((line) => {
    const plain = /^(\*\*\/|\.?\/)?([\w.@+/-]+?)\/?(\/\*\*)?$/.exec(line);
    if (plain === null || line.startsWith("#")) return [];
    const [, prefix = "", name = ""] = plain;
    const escaped = name.replaceAll(/[.+]/g, String.raw`\$&`);
    return [`${prefix === "**/" ? "(^|/)" : "^"}${escaped}(/|$)`];
  });
  return [alwaysSkipped, ...names.slice(0, maxSkipped)];
}

/** Each path is held against each: more are the build's business alone. */
const maxSkipped = 200;
