import type { SignedIn } from "../auth/accounts.ts";
import type { WorkspaceStore } from "../db/workspaces.ts";
import { plan } from "../plan/plan.ts";
import { projectsToCheckOut } from "../plan/projects.ts";
import { OneloopError } from "../protocol/errors.ts";
import { formatPlace } from "../protocol/fact.ts";
import type { Checkout, WorkspacePlan } from "../protocol/plan.ts";
import { maxSentLength, type FolderFiles, type Preview } from "../protocol/preview.ts";
import type { LeftOut, SourceModel } from "../protocol/source-model.ts";
import type { TreeEntry } from "../repo/commit-files.ts";
import { parseContextUrl, repositoryName, type ContextUrl } from "../repo/context-url.ts";
import { shortRef } from "../repo/ref-name.ts";
import type { Remote } from "../repo/repositories.ts";
import type { DevfileDocument } from "../sources/devfile/flatten.ts";
import type { ListedFile, SourceFiles } from "../sources/files.ts";
import { offeredSources } from "../sources/production.ts";
import { sourceRoot } from "../sources/source-root.ts";
import { deadline } from "../util/deadline.ts";
import { checkoutExtras, lfsTask } from "./checkout-extras.ts";
import {
  findConfiguration,
  readConfiguration,
  type Configuration,
  type Files,
  type Wish,
} from "./configuration.ts";
import type { ConfinedFetch } from "./confined-fetch.ts";
import type { ConfinedKustomize } from "./confined-kustomize.ts";
import { collectParents } from "./devfile-parents.ts";
import type { OnPhase } from "./phases.ts";
import { partsOf } from "./preview-parts.ts";
import { readProduction, type MirrorRequest, type Production } from "./production.ts";
import { remoteOf, remoteOfUrl, resolveProjects, type RemoteParts } from "./remotes.ts";

/** Resolving and reading, with the first fetch of a large repository. */
export const openDeadlineMs = 20 * 60 * 1000;

export interface PreviewParts extends RemoteParts {
  readonly store: WorkspaceStore;
  /** For the parents that devfiles name by URL. */
  readonly fetch: ConfinedFetch;
  readonly kustomize: ConfinedKustomize;
  /** Images that stand in for production's, by production's reference. */
  readonly images: Readonly<Record<string, string>>;
  readonly onPhase?: OnPhase | undefined;
}

/** What somebody asks to open, or to see before that. */
export interface ConfigurationRequest extends MirrorRequest {
  readonly contextUrl: string;
  /** Read instead of the repository's devfile. */
  readonly devfile?: string | null;
  /** The path of one of the repository's configurations; null: as it was chosen before. */
  readonly configuration?: string | null;
  /** Refuse with `choice-needed` where several compete and none was chosen. */
  readonly ask?: boolean;
  /** Refuse with `choice-needed` where there is none, and one would be found. */
  readonly askFound?: boolean;
}

/** What a context URL is for this user, as its remote says now. */
export interface Resolved {
  readonly url: ContextUrl;
  readonly remote: Remote;
  /** One workspace is one of these. */
  readonly key: {
    readonly ownerId: string;
    readonly repository: string;
    readonly ref: string | null;
    readonly commit: string;
  };
  /** A file or folder that the URL shows. */
  readonly path: string | null;
}

/** @throws OneloopError `context-url-invalid`, `repository-unreachable`, `ref-not-found`, … */
export async function resolveUrl(
  parts: PreviewParts,
  user: SignedIn,
  { contextUrl, signal }: { contextUrl: string; signal: AbortSignal },
): Promise<Resolved> {
  const url = parseContextUrl(contextUrl);
  const remote = await remoteOf(parts, user, url);
  const { ref, commit, path } = await parts.repositories.resolve(remote, url.target, signal);
  parts.onPhase?.("refs-listed");
  const key = { ownerId: user.id, repository: url.repositoryKey, ref, commit };
  return { url, remote, key, path };
}

/** What would run, and the configuration that says so. */
export interface Planned {
  readonly plan: WorkspacePlan;
  readonly configuration: Configuration;
}

/**
 * Reads the commit's configuration and plans it: what an open goes by, and what a preview shows.
 *
 * @throws OneloopError `ref-not-found`, `devfile-invalid` (with all mistakes), `plan-impossible`,
 * `choice-needed`
 */
export async function planResolved(
  parts: PreviewParts,
  user: SignedIn,
  {
    resolved,
    request,
    signal,
  }: { resolved: Resolved; request: ConfigurationRequest; signal: AbortSignal },
): Promise<Planned> {
  const { repositories, settings } = parts;
  const { url, remote, key, path } = resolved;
  const { ref, commit } = key;
  const [profile, kept] = await Promise.all([
    settings.profile(user.id),
    settings.configurationFor(user.id, key.repository),
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
  const bare = {
    url: url.remote,
    key: remote.key,
    ref,
    commit,
    path: `${sourceRoot}/${repositoryName(url)}`,
  };
  const asked = { remoteOf: remoteOfUrl(parts, user, url), repositories, signal };
  const files = commitFiles(parts, resolved, signal);
  const [{ configuration, development, production }, { checkout, leftOut }] = await Promise.all([
    readFiles(parts, { files, request, kept, signal }),
    checkoutExtras(asked, remote, bare),
  ]);
  parts.onPhase?.("devfile-read");
  const wanted = projectsToCheckOut(development, checkout);
  const fromFiles = plan(development, production.model, {
    ...production.choices,
    checkout,
    projects: await resolveProjects(parts, user, { wanted, signal }),
    dotfilesUrl: profile.dotfilesUrl,
  });
  return {
    configuration,
    plan: {
      ...fromFiles,
      tasks: [...lfsTask(checkout, fromFiles.devService), ...fromFiles.tasks],
      leftOut: [...fromFiles.leftOut, ...leftOut],
    },
  };
}

/** What an open of this context URL would run, and why. Starts nothing. */
export async function previewUrl(
  parts: PreviewParts,
  user: SignedIn,
  request: ConfigurationRequest,
): Promise<Preview> {
  using limit = deadline(null, openDeadlineMs);
  const { signal } = limit;
  const resolved = await resolveUrl(parts, user, { contextUrl: request.contextUrl, signal });
  const { url, key } = resolved;
  const [planned, existing] = await Promise.all([
    planResolved(parts, user, { resolved, request, signal }),
    parts.store.findOfRef(key),
  ]);
  return {
    ...shown(planned, await offeredOf(planned, commitFiles(parts, resolved, signal))),
    repository: url.repositoryKey,
    ref: key.ref,
    commit: key.commit,
    existing: existing?.name ?? null,
  };
}

/** What would run for a folder of the asker's own machine: its files were sent along. */
export async function previewFolder(
  parts: PreviewParts,
  user: SignedIn,
  { files, request }: { files: FolderFiles; request: Omit<ConfigurationRequest, "contextUrl"> },
): Promise<Preview> {
  using limit = deadline(null, openDeadlineMs);
  const { signal } = limit;
  const profile = await parts.settings.profile(user.id);
  const { files: sent, passedOver } = notingLarge(folderFiles(files));
  const folder = { ...sent, render: parts.kustomize.of(sent, signal) };
  const { configuration, development, production } = await readFiles(parts, {
    files: folder,
    request,
    kept: null,
    signal,
  });
  // Nothing is checked out of a folder: this is where it would be.
  const checkout: Checkout = {
    url: "",
    ref: null,
    commit: "0".repeat(40),
    path: `${sourceRoot}/${files.name}`,
  };
  const wanted = projectsToCheckOut(development, checkout);
  const planned = plan(development, production.model, {
    ...production.choices,
    checkout,
    projects: await resolveProjects(parts, user, { wanted, signal }),
    dotfilesUrl: profile.dotfilesUrl,
  });
  const read = { configuration, plan: { ...planned, checkout: null } };
  const offered = await offeredOf(read, folder);
  const leftOut = [...planned.leftOut, ...passedOver()];
  return {
    ...shown({ ...read, plan: { ...read.plan, leftOut } }, offered),
    repository: null,
    ref: null,
    commit: null,
    existing: null,
  };
}

/** The configuration that an open of this URL reads, to be mended or changed; read or not. */
export async function configurationOf(
  parts: PreviewParts,
  user: SignedIn,
  request: ConfigurationRequest,
): Promise<{ path: string; text: string }> {
  using limit = deadline(null, openDeadlineMs);
  const { signal } = limit;
  const resolved = await resolveUrl(parts, user, { contextUrl: request.contextUrl, signal });
  const { remote, key } = resolved;
  const [kept] = await Promise.all([
    parts.settings.configurationFor(user.id, key.repository),
    parts.repositories.ensureCommit(remote, key, signal),
  ]);
  const files = commitFiles(parts, resolved, signal);
  const { path, text } = await findConfiguration(files, wishOf(request, kept));
  return { path, text };
}

/** The configuration that counts, with the parents that it names, and what it is to be mirrored in. */
export async function readFiles(
  { fetch, images }: PreviewParts,
  {
    files,
    request,
    kept,
    signal,
  }: {
    files: Files;
    request: Omit<ConfigurationRequest, "contextUrl">;
    kept: string | null;
    signal: AbortSignal;
  },
): Promise<{ configuration: Configuration; development: SourceModel; production: Production }> {
  const configuration = await findConfiguration(files, wishOf(request, kept));
  const parents =
    configuration.model === null
      ? await collectParents(configuration, { files, fetch }, signal)
      : new Map<string, DevfileDocument>();
  const development = readConfiguration(configuration, parents);
  const production = await readProduction(files, development, { request, images });
  return { configuration, development, production };
}

/** What could be mirrored, where nothing is. */
async function offeredOf({ plan: { mirror } }: Planned, files: Files): Promise<string[]> {
  return mirror === undefined ? offeredSources(files) : [];
}

function wishOf(
  { devfile, configuration, ask, askFound }: Omit<ConfigurationRequest, "contextUrl">,
  kept: string | null,
): Wish {
  return {
    given: devfile ?? null,
    asked: configuration ?? null,
    kept,
    ask: ask ?? false,
    askFound: askFound ?? false,
  };
}

/** The files of a commit that is in the cache. */
export function commitFiles(
  { repositories, kustomize }: PreviewParts,
  { url, remote, key }: Resolved,
  signal: AbortSignal,
): Files {
  const { commit } = key;
  const listed = new Map<string, TreeEntry>();
  const files: SourceFiles = {
    async list(paths) {
      const entries = await repositories.list(remote, { commit, paths }, signal);
      for (const entry of entries) listed.set(entry.path, entry);
      return entries;
    },
    texts(wanted, maxBytes) {
      const entries = wanted.flatMap(({ path }) => listed.get(path) ?? []);
      return repositories.texts(remote, { files: entries, maxBytes }, signal);
    },
  };
  return { ...files, name: repositoryName(url), render: kustomize.of(files, signal) };
}

/**
 * The files of a folder, as somebody sent them. Of one that was too large to be sent, its reader is
 * told so.
 */
export function folderFiles({ name, paths, texts, tooLarge = {} }: FolderFiles): Files {
  const files = paths.map((path): ListedFile => ({
    path,
    kind: "file",
    size: tooLarge[path] ?? (texts[path] ?? "").length,
  }));
  const folders = paths.flatMap((path) => {
    const names = path.split("/").slice(0, -1);
    return names.map((_name, at) => names.slice(0, at + 1).join("/"));
  });
  const all = [
    ...files,
    ...[...new Set(folders)].map((path): ListedFile => ({ path, kind: "folder", size: 0 })),
  ];
  const isAsked = (wanted: readonly string[], path: string): boolean =>
    wanted.length === 0
      ? !path.includes("/")
      : wanted.includes(path) || wanted.includes(path.slice(0, path.lastIndexOf("/") + 1));
  return {
    name,
    list: (wanted) => Promise.resolve(all.filter(({ path }) => isAsked(wanted, path))),
    async texts(wanted, maxBytes) {
      const unsent = wanted.find(({ path }) => (tooLarge[path] ?? Infinity) <= maxBytes);
      if (unsent !== undefined) throw notSent(unsent);
      return new Map(
        wanted.flatMap(({ path }) => {
          const text = texts[path];
          return text === undefined || text.length > maxBytes ? [] : [[path, text] as const];
        }),
      );
    },
  };
}

function notSent({ path, size }: ListedFile): OneloopError {
  return new OneloopError(
    "bad-input",
    `${path} has ${size} bytes; of a folder, files of at most ${maxSentLength} are sent. Split it, or plan the repository that has it.`,
  );
}

/** The same files, and those that nobody read because they are larger than who asked for them reads. */
function notingLarge(files: Files): { files: Files; passedOver: () => LeftOut[] } {
  const large = new Map<string, LeftOut>();
  return {
    passedOver: () => [...large.values()],
    files: {
      ...files,
      async texts(wanted, maxBytes) {
        for (const { path, size } of wanted) {
          const why = `It has ${size} bytes; at most ${maxBytes} are read, so its text was passed over.`;
          if (size <= maxBytes) large.delete(path);
          else large.set(path, { what: path, why, where: { file: path, line: 1, column: 1 } });
        }
        return files.texts(wanted, maxBytes);
      },
    },
  };
}

type Shown = Omit<Preview, "repository" | "ref" | "commit" | "existing">;

function shown({ configuration, plan }: Planned, offered: readonly string[]): Shown {
  const { kind, path, text, summary, choices, chosen } = configuration;
  return {
    configuration: { kind, path, text, summary },
    choices: [...choices],
    chosen,
    offered: [...offered],
    parts: partsOf(plan),
    leftOut: plan.leftOut.map((one) => ({ ...one, where: formatPlace(one.where) })),
    plan,
  };
}
