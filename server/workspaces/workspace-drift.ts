import type { SignedIn } from "../auth/accounts.ts";
import type { OpenedBy, WorkspaceRow } from "../db/workspaces.ts";
import { compare } from "../drift/compare.ts";
import { excerptsOf } from "../drift/excerpts.ts";
import { lockPath, readLock, type LockEntry } from "../drift/lock.ts";
import { reportOf } from "../drift/report.ts";
import { Facts } from "../plan/facts.ts";
import { withManifests } from "../plan/manifests.ts";
import type { DriftPage } from "../protocol/drift.ts";
import { OneloopError } from "../protocol/errors.ts";
import { known, unknown, type Fact } from "../protocol/fact.ts";
import type { WorkspacePlan } from "../protocol/plan.ts";
import type { SourceService } from "../protocol/service.ts";
import type { SourceModel } from "../protocol/source-model.ts";
import { parseContextUrl } from "../repo/context-url.ts";
import { deadline } from "../util/deadline.ts";
import type { Files } from "./configuration.ts";
import type { Environments } from "./environments.ts";
import { commitFiles, openDeadlineMs, readFiles, type PreviewParts } from "./preview.ts";
import { remoteOf } from "./remotes.ts";

/** An acknowledgement is a few lines; so many bytes are thousands of them. */
const maxLockBytes = 1024 * 1024;

export interface DriftParts extends PreviewParts {
  readonly environments: Pick<Environments, "model">;
}

/** What a workspace is compared with. */
export interface ComparedWith {
  /** Null: the production that it mirrors. */
  readonly environment: string | null;
  /** A Compose project of the environment; null: the one that it was registered with. */
  readonly project: string | null;
}

/**
 * How what a workspace runs, as the files of its commit say, differs from the production that it
 * mirrors, or from what really runs in an environment: the devfile's dev service in the place of what
 * it stands in for, and production's services around it.
 *
 * @throws OneloopError `bad-input` where it mirrors nothing and no environment is named, or is older
 * than it is kept by which devfile it was opened
 */
export async function driftOf(
  parts: DriftParts,
  { user, row }: { user: SignedIn; row: WorkspaceRow },
  { environment, project }: ComparedWith,
): Promise<DriftPage> {
  const { plan, name } = row;
  if (plan.mirror === undefined && environment === null) {
    throw new OneloopError(
      "bad-input",
      `${name} mirrors nothing. Open it with --mirror, name an environment, or compare files: \`loop drift devfile.yaml k8s/\`.`,
    );
  }
  const [read, running] = await Promise.all([
    readCommit(parts, { user, row }),
    environment === null ? null : parts.environments.model({ name: environment, project }),
  ]);
  const { development, production, texts, lock } = read;
  const runs = whatRuns(plan, development, production);
  if (runs === null) {
    throw new OneloopError(
      "bad-input",
      `${name} was opened by another devfile than the one that its repository has, and that one is not kept. Compare the file itself: \`loop drift <devfile> ${plan.mirror?.source ?? "--environment NAME"}\`.`,
    );
  }
  const other = running?.model ?? production;
  if (other === null) throw new OneloopError("bad-input", `${plan.mirror?.source} says nothing.`);
  const b = running?.title ?? plan.mirror?.source ?? "";
  const report = reportOf(compare(runs, other), {
    ...{ a: name, b, lock, now: new Date() },
    isSharedLock: environment !== null,
  });
  // What one of them calls a secret is none of the others' to show.
  const models = [development, other, ...(production === null ? [] : [production])];
  return { report, excerpts: excerptsOf(report, texts, models) };
}

/** What the workspace was made from, read again at its commit. */
async function readCommit(
  parts: DriftParts,
  { user, row }: { user: SignedIn; row: WorkspaceRow },
): Promise<{
  development: SourceModel;
  production: SourceModel | null;
  texts: ReadonlyMap<string, string>;
  lock: readonly LockEntry[];
}> {
  const { plan, ref, commit } = row;
  using limit = deadline(null, openDeadlineMs);
  const { signal } = limit;
  const url = parseContextUrl(row.contextUrl);
  const remote = await remoteOf(parts, user, url);
  const [kept, openedBy] = await Promise.all([
    parts.settings.configurationFor(user.id, row.repository),
    parts.store.openedBy(row.id),
    parts.repositories.ensureCommit(remote, { ref, commit }, signal),
  ]);
  const key = { ownerId: row.ownerId, repository: row.repository, ref, commit };
  const { files, texts } = remembering(
    commitFiles(parts, { url, remote, key, path: null }, signal),
  );
  const { mirror } = plan;
  const request = {
    mirror: mirror?.source ?? null,
    ...(mirror === undefined ? {} : { develop: mirror.develops }),
    devfile: openedBy?.given ?? null,
  };
  const [{ configuration, development, production }, lock] = await Promise.all([
    readFiles(parts, { files, request, kept: pathOf(openedBy) ?? kept, signal }),
    acknowledged(files),
  ]);
  texts.set(configuration.path, configuration.text);
  return { development, production: production.model, texts, lock };
}

function pathOf(openedBy: OpenedBy | null): string | null {
  return openedBy?.path ?? null;
}

/** Keeps the texts that are read, to show lines of them. */
function remembering(files: Files): { files: Files; texts: Map<string, string> } {
  const texts = new Map<string, string>();
  const { render } = files;
  return {
    texts,
    files: {
      name: files.name,
      list: (paths) => files.list(paths),
      async texts(wanted, maxBytes) {
        const read = await files.texts(wanted, maxBytes);
        for (const [path, text] of read) texts.set(path, text);
        return read;
      },
      ...(render !== undefined && {
        async render(folder: string) {
          const made = await render(folder);
          for (const { path, text } of made) texts.set(path, text);
          return made;
        },
      }),
    },
  };
}

/**
 * The services of a plan as their sources have them, each fact with its line; null where the sources
 * are not those that the plan was made from.
 *
 * @param production Null: nothing is mirrored.
 */
export function whatRuns(
  plan: WorkspacePlan,
  development: SourceModel,
  production: SourceModel | null,
): SourceModel | null {
  const develops = plan.mirror?.develops ?? [];
  const around = withManifests(development, production, new Facts([]));
  const others = around?.services ?? [];
  const dev = named(development.services, plan.devService);
  if (dev === undefined) return null;
  const developed = develops.flatMap((name) => named(others, name) ?? []);
  const services = plan.services.flatMap(({ name, mirror }) => {
    if (name === plan.devService) return standsIn(dev, developed);
    const mirrored = mirror === undefined ? undefined : named(others, name);
    if (mirrored !== undefined) return alone(mirrored);
    return named(development.services, name) ?? [];
  });
  if (services.length !== plan.services.length) return null;
  return {
    ...development,
    services,
    volumes: [...development.volumes, ...(around?.volumes ?? [])],
  };
}

/**
 * The dev service as it runs: under the name of what it stands in for, with its environment around
 * its own. What somebody starts in it nobody knows.
 */
function standsIn(dev: SourceService, developed: readonly SourceService[]): SourceService {
  const { where } = dev.name;
  const own = unknown<string[] | null>("It is what somebody starts in it.", where);
  const [first] = developed;
  if (first === undefined) return { ...dev, command: own, args: own };
  return {
    ...dev,
    name: known(valueOf(first.name) ?? "", where),
    env: Object.assign({}, ...developed.map(({ env }) => env), dev.env) as SourceService["env"],
    names: [...dev.names, ...developed.flatMap(({ names }) => names)],
    command: own,
    args: own,
  };
}

/** Of what production has several of, one runs here. */
function alone(service: SourceService): SourceService {
  const { replicas } = service;
  return replicas.known && replicas.value > 1
    ? { ...service, replicas: known(1, replicas.where) }
    : service;
}

function named(services: readonly SourceService[], name: string): SourceService | undefined {
  return services.find((service) => valueOf(service.name) === name);
}

function valueOf(fact: Fact<string>): string | null {
  return fact.known ? fact.value : null;
}

/** @throws OneloopError `bad-input` with all mistakes of the lock */
async function acknowledged(files: Files): Promise<readonly LockEntry[]> {
  const listed = await files.list([lockPath]);
  const lock = listed.find(({ path, kind }) => path === lockPath && kind === "file");
  if (lock === undefined) return [];
  const text = (await files.texts([lock], maxLockBytes)).get(lockPath);
  if (text === undefined) return [];
  const read = readLock(text);
  if (read.ok) return read.entries;
  throw new OneloopError("bad-input", `${lockPath} has mistakes.`, {
    diagnostics: [...read.diagnostics],
  });
}
