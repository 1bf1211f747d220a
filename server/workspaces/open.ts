import type { SignedIn } from "../auth/accounts.ts";
import type { UserSettings } from "../auth/user-settings.ts";
import type { NewWorkspace, WorkspaceRow, WorkspaceStore } from "../db/workspaces.ts";
import { plan } from "../plan/plan.ts";
import { projectsToCheckOut, type ProjectToCheckOut } from "../plan/projects.ts";
import { OneloopError, toOneloopError } from "../protocol/errors.ts";
import type { Checkout, WorkspacePlan } from "../protocol/plan.ts";
import type { SourceModel } from "../protocol/source-model.ts";
import { parseContextUrl, repositoryName, type ContextUrl } from "../repo/context-url.ts";
import type { Target } from "../repo/context-url-pages.ts";
import type { Remote, Repositories } from "../repo/repositories.ts";
import { shortRef } from "../repo/ref-name.ts";
import { workspaceName } from "../repo/workspace-name.ts";
import { devfilePaths, readDevfile } from "../sources/devfile/read.ts";
import { defaultModel } from "../sources/fallback/default-model.ts";
import { sourceRoot } from "../sources/source-root.ts";
import type { Ids } from "../util/ids.ts";
import { checkoutExtras, lfsTask } from "./checkout-extras.ts";
import { localRepository } from "./local-repositories.ts";
import type { OnPhase } from "./phases.ts";
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
  readonly settings: UserSettings;
  readonly ids: Ids;
  readonly machineId: string;
  /** The folders that file:// URLs may name; null allows any. */
  readonly fileRoots: readonly string[] | null;
  readonly onPhase?: OnPhase | undefined;
}

export interface OpenRequest {
  readonly contextUrl: string;
  /** Read instead of the repository's devfile. */
  readonly devfile?: string | null;
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
  request: OpenRequest,
): Promise<{ row: WorkspaceRow; existing: boolean }> {
  const { store, repositories, reconciler, settings } = parts;
  const signal = AbortSignal.timeout(openDeadlineMs);

  const url = parseContextUrl(request.contextUrl);
  const remote = await remoteOf(parts, user, url);
  const { ref, commit, path } = await repositories.resolve(remote, url.target, signal);
  parts.onPhase?.("refs-listed");
  const key = { ownerId: user.id, repository: url.repositoryKey, ref, commit };

  const existing = await store.findOfRef(key);
  // Where it is being deleted meanwhile, there is none any more, and another one is made.
  if (existing !== null && (await store.setDesired(existing.id, "running")) !== null) {
    reconciler.kick(existing.id, { repair: true });
    await repositories.ensureCommit(remote, { ref, commit }, signal);
    await noteBehind(parts, { row: existing, remote, commit, signal });
    return { row: (await store.byId(existing.id)) ?? existing, existing: true };
  }

  const [profile] = await Promise.all([
    settings.profile(user.id),
    repositories.ensureCommit(remote, { ref, commit }, signal),
  ]);
  if (path !== null && !(await repositories.hasPath(remote, { commit, path }, signal))) {
    // A branch that is gone reads like a folder of another one: never another's content.
    throw new OneloopError(
      "ref-not-found",
      `${ref === null ? commit : shortRef(ref)} has no ${path}. If that is the end of a branch's name, there is no such branch.`,
    );
  }
  parts.onPhase?.("commit-fetched");
  const name = repositoryName(url);
  const bare = { url: url.remote, key: remote.key, ref, commit, path: `${sourceRoot}/${name}` };
  const asked = { remoteOf: remoteOfUrl(parts, user, url), repositories, signal };
  const [devfile, { checkout, leftOut }] = await Promise.all([
    request.devfile ?? findDevfile(repositories, remote, { commit, signal }),
    checkoutExtras(asked, remote, bare),
  ]);
  const development = readSource(devfile);
  parts.onPhase?.("devfile-read");
  const fromFiles = plan(development, null, {
    checkout,
    projects: await resolveProjects(parts, user, {
      wanted: projectsToCheckOut(development, checkout),
      signal,
    }),
    dotfilesUrl: profile.dotfilesUrl,
  });
  const planned: WorkspacePlan = {
    ...fromFiles,
    tasks: [...lfsTask(checkout, fromFiles.devService), ...fromFiles.tasks],
    leftOut: [...fromFiles.leftOut, ...leftOut],
  };

  const id = parts.pool.take(planned);
  const workspace = {
    ...key,
    id,
    machineId: parts.machineId,
    contextUrl: request.contextUrl,
    plan: planned,
  };
  const made = await insert(parts, workspace, name).catch((error: unknown) => {
    parts.pool.giveBack(id);
    throw error;
  });
  if (made.existing) {
    parts.pool.giveBack(id);
    return made;
  }
  parts.onPhase?.("row-inserted");
  reconciler.kick(id);
  await parts.pool.claimed(id);
  parts.onPhase?.("id-claimed");
  void reconciler.settled(id).then(() => parts.pool.refill());
  return made;
}

/** The devfile that an open of this URL reads; null where the repository has none. */
export async function devfileOf(
  parts: OpenParts,
  user: SignedIn,
  contextUrl: string,
): Promise<{ path: string; text: string } | null> {
  const signal = AbortSignal.timeout(openDeadlineMs);
  const url = parseContextUrl(contextUrl);
  const remote = await remoteOf(parts, user, url);
  const { ref, commit } = await parts.repositories.resolve(remote, url.target, signal);
  await parts.repositories.ensureCommit(remote, { ref, commit }, signal);
  return findDevfile(parts.repositories, remote, { commit, signal });
}

/** Asks the remote of an existing workspace how many commits its branch has more. */
export async function refreshBehind(
  parts: OpenParts,
  user: SignedIn,
  row: WorkspaceRow,
): Promise<void> {
  if (row.ref === null) return;
  const signal = AbortSignal.timeout(openDeadlineMs);
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

/** Inserts the workspace under a free name, or finds the one that the same user just made. */
async function insert(
  { store, ids }: OpenParts,
  workspace: Omit<NewWorkspace, "name">,
  repository: string,
): Promise<{ row: WorkspaceRow; existing: boolean }> {
  const branch = typeof workspace.ref === "string" ? shortRef(workspace.ref) : null;
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

/** The remote as this user may ask it: with their own credential for its host, if they stored one. */
async function remoteOf(
  { settings, fileRoots }: OpenParts,
  user: SignedIn,
  url: ContextUrl,
): Promise<Remote> {
  const remote = { url: url.remote, key: url.repositoryKey };
  if (url.kind === "file") {
    return { ...remote, localFolder: await localRepository(url.path, fileRoots) };
  }
  if (url.host === null) return remote;
  const scheme = /^[a-z]+(?=:\/\/)/.exec(url.remote)?.[0] ?? "ssh";
  const stored = await settings.credentialFor(user.id, { scheme, host: url.host });
  return stored === null ? remote : { ...remote, credential: { ...stored, url: url.remote } };
}

/**
 * For the submodules of a repository. One on this machine may have submodules on this machine; one
 * from elsewhere may not lead git to this machine's folders.
 */
function remoteOfUrl(
  parts: OpenParts,
  user: SignedIn,
  outer: ContextUrl,
): (url: string) => Promise<Remote> {
  return async (text) => {
    const url = parseContextUrl(text);
    if (url.target.kind !== "head") {
      throw new OneloopError("context-url-invalid", "A submodule's URL is that of a repository.");
    }
    if (url.kind === "file" && outer.kind !== "file") {
      throw new OneloopError(
        "repository-not-allowed",
        "It lies on the machine that runs Oneloop, and the repository around it does not.",
      );
    }
    return remoteOf(parts, user, url);
  };
}

/** The devfile's further repositories, each resolved as this user sees it now. */
function resolveProjects(
  parts: OpenParts,
  user: SignedIn,
  { wanted, signal }: { wanted: readonly ProjectToCheckOut[]; signal: AbortSignal },
): Promise<Checkout[]> {
  return Promise.all(
    wanted.map(async ({ name, url, revision, path }) => {
      try {
        const parsed = parseContextUrl(url);
        const remote = await remoteOf(parts, user, parsed);
        const target = revision === null ? parsed.target : revisionTarget(revision);
        const { ref, commit } = await parts.repositories.resolve(remote, target, signal);
        await parts.repositories.ensureCommit(remote, { ref, commit }, signal);
        return { url: parsed.remote, key: parsed.repositoryKey, ref, commit, path };
      } catch (error) {
        const failure = toOneloopError(error);
        throw new OneloopError(
          failure.code,
          `The devfile's project ${name} cannot be had. ${failure.message}`,
          { cause: failure },
        );
      }
    }),
  );
}

/** Any ref or commit of this name. */
function revisionTarget(revision: string): Target {
  return { kind: "ref", among: "any", text: revision, ends: true, path: null };
}

async function findDevfile(
  repositories: Repositories,
  remote: Remote,
  { commit, signal }: { commit: string; signal: AbortSignal },
): Promise<{ path: string; text: string } | null> {
  const wanted = { commit, paths: devfilePaths, maxBytes: maxDevfileBytes };
  return repositories.readFirst(remote, wanted, signal);
}

/** @param given the text that the user mended, the repository's file, or null for neither. */
function readSource(given: string | { path: string; text: string } | null): SourceModel {
  if (given === null) return defaultModel();
  const { path, text } =
    typeof given === "string" ? { path: devfilePaths[0] ?? "devfile.yaml", text: given } : given;
  const read = readDevfile(text, path);
  if (read.ok) return read.model;
  const count = read.diagnostics.filter(({ severity }) => severity === "error").length;
  throw new OneloopError(
    "devfile-invalid",
    `${path} has ${count} mistake${count === 1 ? "" : "s"}. Nothing was started.`,
    { diagnostics: [...read.diagnostics] },
  );
}
