import type { SignedIn } from "../auth/accounts.ts";
import type { NewWorkspace, WorkspaceRow, WorkspaceStore } from "../db/workspaces.ts";
import { plan } from "../plan/plan.ts";
import { OneloopError } from "../protocol/errors.ts";
import type { SourceModel } from "../protocol/source-model.ts";
import { parseContextUrl, repositoryName, type ContextUrl } from "../repo/context-url.ts";
import type { Remote, Repositories } from "../repo/repositories.ts";
import { resolveRef } from "../repo/resolve-ref.ts";
import { workspaceName } from "../repo/workspace-name.ts";
import { devfilePaths, readDevfile } from "../sources/devfile/read.ts";
import { defaultModel } from "../sources/fallback/default-model.ts";
import { sourceRoot } from "../sources/source-root.ts";
import type { Ids } from "../util/ids.ts";
import { localRepository } from "./local-repositories.ts";
import type { Reconciler } from "./reconciler.ts";
import type { SandboxPool } from "./sandbox-pool.ts";

/** Far above every real devfile; a larger one is not read into memory. */
const maxDevfileBytes = 1024 * 1024;
/** A name that is taken gets other letters; 6,859 of them exist for each repository and branch. */
const nameAttempts = 20;
/** Resolving and reading, with the first fetch of a large repository. */
const openDeadlineMs = 20 * 60 * 1000;

export interface OpenParts {
  readonly store: WorkspaceStore;
  readonly repositories: Repositories;
  readonly reconciler: Reconciler;
  readonly pool: SandboxPool;
  readonly ids: Ids;
  readonly machineId: string;
  /** The folders that file:// URLs may name; null allows any. */
  readonly fileRoots: readonly string[] | null;
}

/**
 * The story of an open: ask the remote, find the user's workspace of that ref or make one, and let
 * the reconciler bring it up. Everything that can be wrong with the repository or its devfile is
 * said here, before any container starts.
 *
 * @throws OneloopError `context-url-invalid`, `repository-not-allowed`, `repository-unreachable`,
 * `ref-not-found`, `devfile-invalid` (with all mistakes), `plan-impossible`
 */
export async function openWorkspace(
  parts: OpenParts,
  user: SignedIn,
  contextUrl: string,
): Promise<{ row: WorkspaceRow; existing: boolean }> {
  const { store, repositories, reconciler } = parts;
  const signal = AbortSignal.timeout(openDeadlineMs);

  const url = parseContextUrl(contextUrl);
  const remote = await remoteOf(url, parts.fileRoots);
  const { refs, head } = await repositories.listRefs(remote, signal);
  const { ref, commit } = resolveRef(refs, head, url.rest);
  const key = { ownerId: user.id, repository: url.remote, ref, commit };

  const existing = await store.findOfRef(key);
  if (existing !== null) {
    const row = await store.setDesired(existing.id, "running");
    reconciler.kick(existing.id);
    return { row: row ?? existing, existing: true };
  }

  await repositories.ensureCommit(remote, { ref, commit }, signal);
  const development = await readSource(repositories, remote, { commit, signal });
  const name = repositoryName(url);
  const planned = plan(development, null, {
    checkout: { url: url.remote, ref, commit, path: `${sourceRoot}/${name}` },
  });

  const id = parts.pool.take(planned);
  const workspace = { ...key, id, machineId: parts.machineId, contextUrl, plan: planned };
  const made = await insert(parts, workspace, name);
  if (made.existing) {
    parts.pool.giveBack(id);
    return made;
  }
  reconciler.kick(id);
  await parts.pool.claimed(id);
  void reconciler.settled(id).then(() => parts.pool.refill());
  return made;
}

/** Inserts the workspace under a free name, or finds the one that the same user just made. */
async function insert(
  { store, ids }: OpenParts,
  workspace: Omit<NewWorkspace, "name">,
  repository: string,
): Promise<{ row: WorkspaceRow; existing: boolean }> {
  const branch = workspace.ref?.replace(/^refs\/(heads|tags)\//, "") ?? null;
  for (let attempt = 0; attempt < nameAttempts; attempt += 1) {
    const name = workspaceName(repository, branch, ids.letters());
    const row = await store.insert({ ...workspace, name });
    if (row !== null) return { row, existing: false };
    // The name is taken, or the same user opened the same ref at the same time.
    const other = await store.findOfRef({ ...workspace, ref: workspace.ref ?? null });
    if (other !== null) return { row: other, existing: true };
  }
  throw new OneloopError(
    "conflict",
    `No free name for a workspace of ${repository} was found. Try again.`,
  );
}

async function remoteOf(url: ContextUrl, fileRoots: readonly string[] | null): Promise<Remote> {
  if (url.kind !== "file") return { url: url.remote };
  return { url: url.remote, localFolder: await localRepository(url.path, fileRoots) };
}

async function readSource(
  repositories: Repositories,
  remote: Remote,
  { commit, signal }: { commit: string; signal: AbortSignal },
): Promise<SourceModel> {
  const found = await repositories.readFirst(
    remote,
    { commit, paths: devfilePaths, maxBytes: maxDevfileBytes },
    signal,
  );
  if (found === null) return defaultModel();
  const read = readDevfile(found.text, found.path);
  if (read.ok) return read.model;
  const count = read.diagnostics.filter(({ severity }) => severity === "error").length;
  throw new OneloopError(
    "devfile-invalid",
    `${found.path} has ${count} mistake${count === 1 ? "" : "s"}. Nothing was started.`,
    { diagnostics: [...read.diagnostics] },
  );
}
