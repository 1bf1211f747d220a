import { OneloopError } from "../protocol/errors.ts";
import { editDistance, nearest, type Nearness } from "../util/nearest.ts";
import type { Target } from "./context-url-pages.ts";

/** A line of `git ls-remote`: a full ref name; an annotated tag has a second one ending in `^{}`. */
export interface RemoteRef {
  readonly name: string;
  /** 40 hex digits. */
  readonly commit: string;
}

export interface ResolvedRef {
  /** The full ref, such as `refs/heads/main`; null for a bare commit and a detached HEAD. */
  readonly ref: string | null;
  readonly commit: string;
}

export interface RemoteRefs {
  readonly refs: readonly RemoteRef[];
  /** Where HEAD stands; null in an empty repository. */
  readonly head: ResolvedRef | null;
}

export interface Resolved extends ResolvedRef {
  /** The folder or file that the URL shows; whether the commit has it, nobody has asked. */
  readonly path: string | null;
}

/**
 * A ref with fewer parts is compared with the beginning of what was written, whose end may be a
 * folder; one that ends with all of it may only lack its own beginning, such as `feature/`.
 */
const amongRefs: Nearness = {
  // Enough for a person's repository; a remote with more branches costs no more than this.
  compared: 5000,
  distanceFrom(wanted) {
    const text = wanted.toLowerCase();
    const parts = text.split("/");
    return (name) => {
      const ref = name.toLowerCase();
      if (ref.endsWith(`/${text}`)) return 0;
      const begin = parts.slice(0, ref.split("/").length).join("/");
      return editDistance(begin, ref, Math.floor(begin.length / 3));
    };
  },
};

/**
 * Decides what a context URL names, by the refs that exist: the longest beginning that is a branch
 * or a tag (a branch before a tag of the same length; what follows it is a path), else a commit.
 * Only a full commit id is taken unseen; an abbreviated one must begin exactly one known commit.
 *
 * @param cached commits of this repository that are known besides those of its refs.
 * @throws OneloopError `ref-not-found`
 */
export function resolveRef(
  { refs, head }: RemoteRefs,
  target: Target,
  cached: readonly string[] = [],
): Resolved {
  switch (target.kind) {
    case "head":
      if (head !== null) return { ...head, path: target.path };
      throw notFound(
        "The repository has no default branch: push a commit, or name a branch in the URL.",
      );
    case "change": {
      const commit = commitsOf(refs).get(target.ref);
      if (commit !== undefined) return { ref: target.ref, commit, path: null };
      throw notFound(
        `The host shows no request ${target.number} to git (${target.ref}): check the number, or ` +
          "open the request's source branch instead. Bitbucket Cloud shows none of them.",
      );
    }
    case "commit": {
      const commit = findCommit(target.id, refs, cached);
      return { ref: null, commit, path: target.path };
    }
    case "ref":
      return findRef(target, refs, cached);
  }
}

/** The abbreviated commit id that `target` may be: what else is known of it helps `resolveRef`. */
export function abbreviatedCommit(target: Target): string | null {
  const text =
    target.kind === "commit" ? target.id : target.kind === "ref" ? firstSegment(target) : "";
  return /^[0-9a-f]{7,39}$/i.test(text) ? text.toLowerCase() : null;
}

type RefTarget = Extract<Target, { kind: "ref" }>;

function firstSegment({ text, ends }: RefTarget): string {
  return ends ? text : (text.split("/")[0] ?? "");
}

function findRef(
  target: RefTarget,
  refs: readonly RemoteRef[],
  cached: readonly string[],
): Resolved {
  const { among, text, ends } = target;
  const spaces = among === "any" ? ["heads", "tags"] : [among];
  const commits = commitsOf(refs);
  const segments = text.split("/");
  for (let length = segments.length; length >= (ends ? segments.length : 1); length -= 1) {
    const name = segments.slice(0, length).join("/");
    const path = target.path ?? pathOf(segments.slice(length));
    // A path is given to git later, where it must not be an option.
    if (path?.startsWith("-") === true) continue;
    for (const space of spaces) {
      const ref = `refs/${space}/${name}`;
      const commit = commits.get(ref);
      if (commit !== undefined) return { ref, commit, path };
    }
  }
  const first = firstSegment(target);
  if (among === "any" && /^[0-9a-f]{7,40}$/i.test(first)) {
    const path = target.path ?? pathOf(segments.slice(ends ? segments.length : 1));
    if (path?.startsWith("-") !== true) {
      return { ref: null, commit: findCommit(first.toLowerCase(), refs, cached), path };
    }
  }
  const what = among === "any" ? "branch or tag" : among === "heads" ? "branch" : "tag";
  const names = spaces.flatMap((space) => namesIn(space, refs));
  const near = nearest(text, names, amongRefs).map((name) => `"${name}"`);
  throw notFound(
    `The repository has no ${what} "${text}". ` +
      (near.length > 0
        ? `Did you mean ${near.join(" or ")}?`
        : "Check the name, or give the full id of a commit."),
  );
}

/** A commit by its id in lower case: a full one is taken unseen, for the remote to give or refuse. */
function findCommit(id: string, refs: readonly RemoteRef[], cached: readonly string[]): string {
  if (id.length === 40) return id;
  const known = new Set([...commitsOf(refs).values(), ...cached]);
  const [found, another] = [...known].filter((commit) => commit.startsWith(id));
  if (found !== undefined && another === undefined) return found;
  throw notFound(
    another === undefined
      ? `No branch, tag or known commit begins with "${id}": give the commit's full 40 digits.`
      : `More than one commit begins with "${id}": give the commit's full 40 digits.`,
  );
}

/** By ref; for an annotated tag what it points to, instead of the tag's own object. */
function commitsOf(refs: readonly RemoteRef[]): ReadonlyMap<string, string> {
  const commits = new Map<string, string>();
  for (const { name, commit } of refs) if (!name.endsWith("^{}")) commits.set(name, commit);
  for (const { name, commit } of refs) {
    if (name.endsWith("^{}")) commits.set(name.slice(0, -3), commit);
  }
  return commits;
}

function namesIn(space: string, refs: readonly RemoteRef[]): string[] {
  const prefix = `refs/${space}/`;
  return refs.flatMap(({ name }) =>
    name.startsWith(prefix) && !name.endsWith("^{}") ? [name.slice(prefix.length)] : [],
  );
}

function pathOf(segments: readonly string[]): string | null {
  return segments.length === 0 ? null : segments.join("/");
}

function notFound(message: string): OneloopError {
  return new OneloopError("ref-not-found", message);
}
