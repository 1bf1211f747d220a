import { OneloopError, toOneloopError } from "../protocol/errors.ts";
import type { Checkout, Task } from "../protocol/plan.ts";
import type { LeftOut } from "../protocol/source-model.ts";
import type { Remote, Repositories } from "../repo/repositories.ts";
import { resolveSubmoduleUrl } from "../repo/submodules.ts";

/** Deeper nesting, or more of them, is a mistake or an attack. */
const maxDepth = 5;
const maxSubmodules = 100;

type CheckedOutSubmodule = NonNullable<Checkout["submodules"]>[number];

interface ExtrasParts {
  readonly repositories: Pick<
    Repositories,
    "ensureCommit" | "fetchLfs" | "listRefs" | "submodules" | "usesLfs"
  >;
  /** The remote of a URL as this user may ask it. @throws OneloopError for one that is not allowed. */
  readonly remoteOf: (url: string) => Promise<Remote>;
  readonly signal: AbortSignal;
}

/**
 * Brings what a commit has beside its own files into the cache: submodules, each asked with the
 * user's own credential, and files in LFS. What cannot be had is named and left out; the workspace
 * opens without it.
 */
export async function checkoutExtras(
  parts: ExtrasParts,
  remote: Remote,
  checkout: Checkout,
): Promise<{ checkout: Checkout; leftOut: LeftOut[] }> {
  const { repositories, signal } = parts;
  const leftOut: LeftOut[] = [];
  const submodules: CheckedOutSubmodule[] = [];
  let tried = 0;
  const collect = async (
    outer: { readonly remote: Remote; readonly url: string; readonly commit: string },
    place: { readonly within: string; readonly depth: number },
  ): Promise<void> => {
    for (const one of await repositories.submodules(outer.remote, outer.commit, signal)) {
      tried += 1;
      if (tried > maxSubmodules + 1) return;
      const path = fileIn(place.within, one.path);
      try {
        if (place.depth > maxDepth || tried > maxSubmodules) throw tooMany();
        mustBeOneLine(one.name, one.path, one.url);
        const url = resolveSubmoduleUrl(outer.url, one.url);
        if (url === null) throw unusable(one.url);
        const inner = await parts.remoteOf(url);
        // Asked before the cache is read: what another's credential fetched is not this user's.
        const { refs } = await repositories.listRefs(inner, signal);
        const ref = refs.find(({ commit }) => commit === one.commit)?.name ?? null;
        const cached = ref !== null && /^refs\/(heads|tags)\//.test(ref) ? ref : null;
        await repositories.ensureCommit(inner, { ref: cached, commit: one.commit }, signal);
        submodules.push({
          within: place.within,
          name: one.name,
          path: one.path,
          url,
          key: inner.key,
        });
        const next = { remote: inner, url, commit: one.commit };
        await collect(next, { within: path, depth: place.depth + 1 });
      } catch (error) {
        const failure = toOneloopError(error);
        if (failure.code === "internal") throw error;
        leftOut.push({
          what: `submodule ${path}`,
          why: failure.message,
          where: { file: fileIn(place.within, ".gitmodules"), line: 1, column: 1 },
        });
      }
    }
  };
  const { url, commit } = checkout;
  const [, lfs] = await Promise.all([
    collect({ remote, url, commit }, { within: "", depth: 1 }),
    fetchLfs(parts, { remote, commit, leftOut }),
  ]);
  return { checkout: { ...checkout, submodules, lfs }, leftOut };
}

async function fetchLfs(
  { repositories, signal }: ExtrasParts,
  { remote, commit, leftOut }: { remote: Remote; commit: string; leftOut: LeftOut[] },
): Promise<boolean> {
  if (!(await repositories.usesLfs(remote, commit, signal))) return false;
  try {
    await repositories.fetchLfs(remote, commit, signal);
    return true;
  } catch (error) {
    leftOut.push({
      what: "files in LFS",
      why: `They stay pointers. ${toOneloopError(error).message}`,
      where: { file: ".gitattributes", line: 1, column: 1 },
    });
    return false;
  }
}

/**
 * Makes files of the pointers, once, by the workspace's own git-lfs: the image decides which version
 * works on the person's files.
 */
export function lfsTask({ lfs, path }: Checkout, devService: string): Task[] {
  if (lfs !== true) return [];
  return [
    {
      name: "git-lfs",
      phase: "create",
      in: devService,
      oncePer: "workspace",
      needs: [],
      command: ["sh", "-c", "git lfs install --local && git lfs checkout"],
      terminal: true,
      cwd: path,
    },
  ];
}

function fileIn(folder: string, path: string): string {
  return folder === "" ? path : `${folder}/${path}`;
}

/** Names go to the checkout as lines. */
function mustBeOneLine(...texts: readonly string[]): void {
  if (texts.every((text) => !/[\p{Cc}]/u.test(text) && !text.startsWith("-"))) return;
  throw new OneloopError("context-url-invalid", "Its path or URL is not one that git could mean.");
}

function unusable(url: string): OneloopError {
  return new OneloopError(
    "context-url-invalid",
    `Its URL, ${JSON.stringify(url.slice(0, 200))}, leads to no repository.`,
  );
}

function tooMany(): OneloopError {
  return new OneloopError(
    "conflict",
    `At most ${maxSubmodules} submodules, ${maxDepth} deep, are checked out.`,
  );
}
