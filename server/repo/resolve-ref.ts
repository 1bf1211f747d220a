import { OneloopError } from "../protocol/errors.ts";

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

/**
 * Decides what the rest of a context URL names, by the refs that exist: the longest beginning that
 * is a branch or a tag (a branch before a tag of the same length; what follows it is a folder), else
 * a commit of 40 hex digits; without a rest, HEAD.
 *
 * @param head Where the remote's HEAD stands; null in an empty repository.
 * @throws OneloopError `ref-not-found`
 */
export function resolveRef(
  refs: readonly RemoteRef[],
  head: ResolvedRef | null,
  rest: string | null,
): ResolvedRef {
  if (rest === null) {
    if (head !== null) return head;
    throw new OneloopError(
      "ref-not-found",
      "The repository has no default branch: push a commit, or name a branch in the URL.",
    );
  }
  const commits = new Map(refs.map(({ name, commit }) => [name, commit]));
  const segments = rest.split("/");
  for (let length = segments.length; length > 0; length -= 1) {
    const name = segments.slice(0, length).join("/");
    for (const ref of [`refs/heads/${name}`, `refs/tags/${name}`]) {
      // What an annotated tag points to, instead of the tag's own object.
      const commit = commits.get(`${ref}^{}`) ?? commits.get(ref);
      if (commit !== undefined) return { ref, commit };
    }
  }
  const [first = ""] = segments;
  if (/^[0-9a-f]{40}$/i.test(first)) return { ref: null, commit: first.toLowerCase() };
  throw new OneloopError(
    "ref-not-found",
    `The repository has no branch or tag "${rest}": check the name, or give a full commit id.`,
  );
}
