import type { SignedIn } from "../auth/accounts.ts";
import type { WorkspaceStore } from "../db/workspaces.ts";
import { plan } from "../plan/plan.ts";
import { projectsToCheckOut } from "../plan/projects.ts";
import { OneloopError } from "../protocol/errors.ts";
import { formatPlace } from "../protocol/fact.ts";
import type { Checkout, WorkspacePlan } from "../protocol/plan.ts";
import type { FolderFiles, Preview, PreviewPart } from "../protocol/preview.ts";
import type { SourceModel } from "../protocol/source-model.ts";
import type { TreeEntry } from "../repo/commit-files.ts";
import { parseContextUrl, repositoryName, type ContextUrl } from "../repo/context-url.ts";
import { shortRef } from "../repo/ref-name.ts";
import type { Remote } from "../repo/repositories.ts";
import type { DevfileDocument } from "../sources/devfile/flatten.ts";
import { sourceRoot } from "../sources/source-root.ts";
import { checkoutExtras, lfsTask } from "./checkout-extras.ts";
import {
  findConfiguration,
  readConfiguration,
  type Configuration,
  type Files,
  type ListedFile,
  type Wish,
} from "./configuration.ts";
import type { ConfinedFetch } from "./confined-fetch.ts";
import { collectParents } from "./devfile-parents.ts";
import type { OnPhase } from "./phases.ts";
import { remoteOf, remoteOfUrl, resolveProjects, type RemoteParts } from "./remotes.ts";

/** Resolving and reading, with the first fetch of a large repository. */
export const openDeadlineMs = 20 * 60 * 1000;

export interface PreviewParts extends RemoteParts {
  readonly store: WorkspaceStore;
  /** For the parents that devfiles name by URL. */
  readonly fetch: ConfinedFetch;
  readonly onPhase?: OnPhase | undefined;
}

/** What somebody asks to open, or to see before that. */
export interface ConfigurationRequest {
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
  const [{ configuration, development }, { checkout, leftOut }] = await Promise.all([
    readFiles(parts, { files, wish: wishOf(request, kept), signal }),
    checkoutExtras(asked, remote, bare),
  ]);
  parts.onPhase?.("devfile-read");
  const wanted = projectsToCheckOut(development, checkout);
  const fromFiles = plan(development, null, {
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
  const signal = AbortSignal.timeout(openDeadlineMs);
  const resolved = await resolveUrl(parts, user, { contextUrl: request.contextUrl, signal });
  const { url, key } = resolved;
  const [planned, existing] = await Promise.all([
    planResolved(parts, user, { resolved, request, signal }),
    parts.store.findOfRef(key),
  ]);
  return {
    ...shown(planned),
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
  const signal = AbortSignal.timeout(openDeadlineMs);
  const profile = await parts.settings.profile(user.id);
  const { configuration, development } = await readFiles(parts, {
    files: folderFiles(files),
    wish: wishOf(request, null),
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
  const planned = plan(development, null, {
    checkout,
    projects: await resolveProjects(parts, user, { wanted, signal }),
    dotfilesUrl: profile.dotfilesUrl,
  });
  return {
    ...shown({ configuration, plan: { ...planned, checkout: null } }),
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
  const signal = AbortSignal.timeout(openDeadlineMs);
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

/** The configuration that counts, with the parents that it names. */
async function readFiles(
  { fetch }: PreviewParts,
  { files, wish, signal }: { files: Files; wish: Wish; signal: AbortSignal },
): Promise<{ configuration: Configuration; development: SourceModel }> {
  const configuration = await findConfiguration(files, wish);
  const parents =
    configuration.model === null
      ? await collectParents(configuration, { files, fetch }, signal)
      : new Map<string, DevfileDocument>();
  return { configuration, development: readConfiguration(configuration, parents) };
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
function commitFiles(
  { repositories }: PreviewParts,
  { url, remote, key }: Resolved,
  signal: AbortSignal,
): Files {
  const { commit } = key;
  const listed = new Map<string, TreeEntry>();
  return {
    name: repositoryName(url),
    async list(paths) {
      const entries = await repositories.list(remote, { commit, paths }, signal);
      for (const entry of entries) listed.set(entry.path, entry);
      return entries;
    },
    texts(files, maxBytes) {
      const entries = files.flatMap(({ path }) => listed.get(path) ?? []);
      return repositories.texts(remote, { files: entries, maxBytes }, signal);
    },
  };
}

/** The files of a folder, as somebody sent them. */
export function folderFiles({ name, paths, texts }: FolderFiles): Files {
  const files = paths.map((path): ListedFile => ({
    path,
    kind: "file",
    size: (texts[path] ?? "").length,
  }));
  const folders = paths.flatMap((path) => {
    const end = path.indexOf("/");
    return end === -1 ? [] : [path.slice(0, end)];
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
    texts: (wanted, maxBytes) =>
      Promise.resolve(
        new Map(
          wanted.flatMap(({ path }) => {
            const text = texts[path];
            return text === undefined || text.length > maxBytes ? [] : [[path, text] as const];
          }),
        ),
      ),
  };
}

type Shown = Omit<Preview, "repository" | "ref" | "commit" | "existing">;

function shown({ configuration, plan }: Planned): Shown {
  const { kind, path, text, summary, choices, chosen } = configuration;
  return {
    configuration: { kind, path, text, summary },
    choices: [...choices],
    chosen,
    parts: partsOf(plan),
    leftOut: plan.leftOut.map((one) => ({ ...one, where: formatPlace(one.where) })),
    plan,
  };
}

/** Every part of a plan in a line, with the places that ask for it. */
export function partsOf(plan: WorkspacePlan): PreviewPart[] {
  const because = new Map(plan.because.map(({ part, where }) => [part, where.map(formatPlace)]));
  const part = (kind: PreviewPart["kind"], name: string, says: string): PreviewPart => ({
    ...{ kind, name, says },
    where: because.get(`${kind} ${name}`) ?? [],
  });
  const services = plan.services.map((service) => {
    const roles = [service.name === plan.devService ? "you work in it" : null, limits(service)];
    const says = [service.image, ...roles.filter((role) => role !== null)].join(", ");
    return part("service", service.name, says);
  });
  const ports = plan.services.flatMap(({ name, endpoints }) =>
    endpoints.map(({ targetPort, protocol, exposure, name: endpoint }) =>
      part(
        "port",
        `${targetPort} of ${name}`,
        `${endpoint}, ${protocol}${exposure === "public" ? "" : `, ${exposure}`}`,
      ),
    ),
  );
  const volumes = plan.volumes.map(({ name, ephemeral }) =>
    part("volume", name, ephemeral ? "emptied at each start" : "kept"),
  );
  const tasks = plan.tasks.map(({ name, command, phase, oncePer }) =>
    part("task", name, `${phaseWords(phase, oncePer)}: ${commandText(command)}`),
  );
  const commands = (plan.commands ?? []).map(({ name, group, command }) => {
    const purpose = group === null ? "" : `${group.kind}${group.isDefault ? " (default)" : ""}: `;
    return part("command", name, `${purpose}${commandText(command)}`);
  });
  const projects = (plan.projects ?? []).map(({ url, path }) =>
    part("project", path.slice(path.lastIndexOf("/") + 1), `${url} in ${path}`),
  );
  return [...services, ...ports, ...volumes, ...tasks, ...commands, ...projects];
}

type Task = WorkspacePlan["tasks"][number];

function phaseWords(phase: Task["phase"], oncePer: Task["oncePer"]): string {
  if (phase === "stop") return "before each stop";
  if (oncePer === "workspace" || oncePer === "content") return "once";
  return oncePer === "container" ? "once in its container" : "at each start";
}

function commandText(command: readonly string[] | null): string {
  if (command === null) return "the image's own command";
  const [program, option, line] = command;
  return program === "sh" && option === "-c" && line !== undefined ? line : command.join(" ");
}

function limits({
  memoryLimitBytes,
  cpuLimitCores,
}: WorkspacePlan["services"][number]): string | null {
  const words = [
    memoryLimitBytes === null ? null : `${Math.round(memoryLimitBytes / 1024 ** 2)} MiB`,
    cpuLimitCores === null ? null : `${cpuLimitCores} CPU`,
  ].filter((word) => word !== null);
  return words.length === 0 ? null : `at most ${words.join(" and ")}`;
}
