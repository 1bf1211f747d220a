import type { SignedIn } from "../auth/accounts.ts";
import type { NewWorkspace, OpenedBy, WorkspaceRow } from "../db/workspaces.ts";
import { OneloopError } from "../protocol/errors.ts";
import type { ConfigurationView } from "../protocol/preview.ts";
import { parseContextUrl, repositoryName } from "../repo/context-url.ts";
import type { Remote } from "../repo/repositories.ts";
import { shortRef } from "../repo/ref-name.ts";
import { workspaceName } from "../repo/workspace-name.ts";
import { deadline } from "../util/deadline.ts";
import { sourcePaths } from "../sources/production.ts";
import type { Ids } from "../util/ids.ts";
import {
  openDeadlineMs,
  planResolved,
  resolveUrl,
  type ConfigurationRequest,
  type PreviewParts,
} from "./preview.ts";
import { mirroredServices } from "./mirror/mirrored.ts";
import type { MirrorRequest } from "./production.ts";
import type { Reconciler } from "./reconciler.ts";
import { remoteOf } from "./remotes.ts";
import type { SandboxPool } from "./sandbox-pool.ts";

/** A name that is taken gets other letters; 6,859 of them exist for each repository and branch. */
const nameAttempts = 20;

export interface OpenParts extends PreviewParts {
  readonly reconciler: Reconciler;
  readonly pool: SandboxPool;
  readonly ids: Ids;
  readonly machineId: string;
}

/** What an open came to. */
export interface Opened {
  readonly row: WorkspaceRow;
  readonly existing: boolean;
  /** Null where it was there before: what it runs by may be another now. */
  readonly configuration: ConfigurationView | null;
}

/**
 * The story of an open: ask the remote, find the user's workspace of that ref or make one, and let
 * the reconciler bring it up. Everything that can be wrong with the repository or its devfile is
 * said here, before any container starts.
 *
 * @throws OneloopError `context-url-invalid`, `repository-not-allowed`, `repository-unreachable`,
 * `ref-not-found`, `devfile-invalid` (with all mistakes), `plan-impossible`, `choice-needed`
 */
export async function openWorkspace(
  parts: OpenParts,
  user: SignedIn,
  request: ConfigurationRequest,
): Promise<Opened> {
  const { store, repositories, reconciler } = parts;
  using limit = deadline(null, openDeadlineMs);
  const { signal } = limit;

  const resolved = await resolveUrl(parts, user, { contextUrl: request.contextUrl, signal });
  const { url, remote, key } = resolved;
  const { ref, commit } = key;

  const existing = await store.findOfRef(key);
  if (existing !== null) assertSameMirror(existing, request);
  // Where it is being deleted meanwhile, there is none any more, and another one is made.
  if (existing !== null && (await store.setDesired(existing.id, "running")) !== null) {
    reconciler.kick(existing.id, { repair: true });
    await repositories.ensureCommit(remote, { ref, commit }, signal);
    await noteBehind(parts, { row: existing, remote, commit, signal });
    const row = (await store.byId(existing.id)) ?? existing;
    return { row, existing: true, configuration: null };
  }

  const { plan, configuration } = await planResolved(parts, user, { resolved, request, signal });
  if (typeof request.configuration === "string" && configuration.choices.length > 0) {
    const { repository } = key;
    await parts.settings.keepConfiguration(user.id, { repository, path: configuration.path });
  }

  const id = parts.pool.take(plan);
  const { machineId } = parts;
  const workspace = { ...key, id, machineId, contextUrl: request.contextUrl, plan };
  const named = { repository: repositoryName(url), openedBy: openedBy(configuration) };
  const made = await insert(parts, workspace, named).catch((error: unknown) => {
    parts.pool.giveBack(id);
    throw error;
  });
  if (made.existing) {
    parts.pool.giveBack(id);
    return { ...made, configuration: null };
  }
  parts.onPhase?.("row-inserted");
  reconciler.kick(id);
  await parts.pool.claimed(id);
  parts.onPhase?.("id-claimed");
  void refillWhenSettled(parts, made.row);
  const { kind, path, text, summary } = configuration;
  return { ...made, configuration: { kind, path, text, summary } };
}

/** While production's services start, the engine is theirs: the mirror says when that is over. */
async function refillWhenSettled(
  { store, reconciler, pool }: OpenParts,
  { id, plan }: WorkspaceRow,
): Promise<void> {
  await reconciler.settled(id);
  const row = mirroredServices(plan).length === 0 ? null : await store.byId(id).catch(() => null);
  if (row?.state !== "running") pool.refill();
}

/**
 * What a workspace mirrors is decided when it is made: work may lie in it.
 *
 * @throws OneloopError `conflict`, which says what to do
 */
function assertSameMirror({ name, plan }: WorkspaceRow, request: MirrorRequest): void {
  const { mirror, develop } = request;
  const has = plan.mirror ?? null;
  const sameSource =
    mirror === undefined ||
    (mirror === null
      ? has === null
      : has !== null && sourcePaths(mirror).join() === sourcePaths(has.source).join());
  const sameDevelop = develop === undefined || sameNames(develop, has?.develops ?? []);
  if (sameSource && sameDevelop) return;
  const now =
    has === null
      ? "nothing mirrored around it"
      : `${has.source} mirrored around it, and ${has.develops.join(", ") || "nothing of it"} developed`;
  throw new OneloopError(
    "conflict",
    `You have ${name} of this already, with ${now}; that is decided when it is made, and nothing of it was changed. Push what is in it and \`loop delete ${name}\`, or open another branch.`,
  );
}

function sameNames(one: readonly string[], other: readonly string[]): boolean {
  return [...new Set(one)].sort().join() === [...new Set(other)].sort().join();
}

/** Asks the remote of an existing workspace how many commits its branch has more. */
export async function refreshBehind(
  parts: OpenParts,
  user: SignedIn,
  row: WorkspaceRow,
): Promise<void> {
  if (row.ref === null) return;
  using limit = deadline(null, openDeadlineMs);
  const { signal } = limit;
  const remote = await remoteOf(parts, user, parseContextUrl(row.contextUrl));
  const { refs } = await parts.repositories.listRefs(remote, signal);
  const commit = refs.find(({ name }) => name === row.ref)?.commit;
  if (commit === undefined) {
    throw new OneloopError(
      "ref-not-found",
      `${row.ref} is not on the remote any more. What you have here is kept.`,
    );
  }
  await parts.repositories.ensureCommit(remote, { ref: row.ref, commit }, signal);
  await noteBehind(parts, { row, remote, commit, signal });
}

/** Nothing is pulled: the person is told, and decides. */
async function noteBehind(
  { store, repositories }: OpenParts,
  {
    row,
    remote,
    commit,
    signal,
  }: {
    row: WorkspaceRow;
    remote: Remote;
    commit: string;
    signal: AbortSignal;
  },
): Promise<void> {
  // A commit that only this workspace has is unknown to the cache: then from where it began.
  const here = row.work?.head ?? row.commit;
  const behind =
    (await repositories.countBehind(remote, { from: here, to: commit }, signal)) ??
    (await repositories.countBehind(remote, { from: row.commit, to: commit }, signal));
  await store.setBehind(row.id, behind);
}

/** What a later comparison reads: what the repository has is found at the commit again. */
function openedBy({ kind, path, text }: ConfigurationView): OpenedBy {
  return { path, given: kind === "given" ? text : null };
}

/** Inserts the workspace under a free name, or finds the one that the same user just made. */
async function insert(
  { store, ids }: OpenParts,
  workspace: Omit<NewWorkspace, "name">,
  { repository, openedBy: by }: { repository: string; openedBy: OpenedBy },
): Promise<{ row: WorkspaceRow; existing: boolean }> {
  const branch = typeof workspace.ref === "string" ? shortRef(workspace.ref) : null;
  for (let attempt = 0; attempt < nameAttempts; attempt += 1) {
    const name = workspaceName(repository, branch, ids.letters());
    const row = await store.insert({ ...workspace, name }, by);
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
