import type { SignedIn } from "../auth/accounts.ts";
import type { WorkspaceRow } from "../db/workspaces.ts";
import { compare } from "../drift/compare.ts";
import { lockPath, readLock, type LockEntry } from "../drift/lock.ts";
import { reportOf } from "../drift/report.ts";
import type { DriftReport } from "../protocol/drift.ts";
import { OneloopError } from "../protocol/errors.ts";
import { known, unknown, type Fact } from "../protocol/fact.ts";
import type { WorkspacePlan } from "../protocol/plan.ts";
import type { SourceService } from "../protocol/service.ts";
import type { SourceModel } from "../protocol/source-model.ts";
import { parseContextUrl } from "../repo/context-url.ts";
import { deadline } from "../util/deadline.ts";
import type { Files } from "./configuration.ts";
import { commitFiles, openDeadlineMs, readFiles, type PreviewParts } from "./preview.ts";
import { remoteOf } from "./remotes.ts";

/** An acknowledgement is a few lines; so many bytes are thousands of them. */
const maxLockBytes = 1024 * 1024;

/**
 * How what a workspace runs differs from the production that it mirrors, both as the files of its
 * commit say: the devfile's dev service in the place of what it stands in for, and production's
 * services around it.
 *
 * @throws OneloopError `bad-input` where it mirrors nothing, or was opened by another devfile than its
 * repository's, which is not kept.
 */
export async function driftOf(
  parts: PreviewParts,
  user: SignedIn,
  row: WorkspaceRow,
): Promise<DriftReport> {
  const { plan, name, ref, commit } = row;
  if (plan.mirror === undefined) {
    throw new OneloopError(
      "bad-input",
      `${name} mirrors nothing. Open it with --mirror, or compare files: \`loop drift devfile.yaml k8s/\`.`,
    );
  }
  const { source, develops } = plan.mirror;
  using limit = deadline(null, openDeadlineMs);
  const { signal } = limit;
  const url = parseContextUrl(row.contextUrl);
  const remote = await remoteOf(parts, user, url);
  const [kept] = await Promise.all([
    parts.settings.configurationFor(user.id, row.repository),
    parts.repositories.ensureCommit(remote, { ref, commit }, signal),
  ]);
  const key = { ownerId: row.ownerId, repository: row.repository, ref, commit };
  const files = commitFiles(parts, { url, remote, key, path: null }, signal);
  const request = { mirror: source, develop: develops };
  const [{ development, production }, lock] = await Promise.all([
    readFiles(parts, { files, request, kept, signal }),
    acknowledged(files),
  ]);
  if (production.model === null) throw new OneloopError("bad-input", `${source} says nothing.`);
  const runs = whatRuns(plan, development, production.model);
  if (runs === null) {
    throw new OneloopError(
      "bad-input",
      `${name} was opened by another devfile than the one that its repository has, and that one is not kept. Compare the file itself: \`loop drift <devfile> ${source}\`.`,
    );
  }
  const comparison = compare(runs, production.model);
  return reportOf(comparison, { a: name, b: source, lock, now: new Date() });
}

/**
 * The services of a plan as their sources have them, each fact with its line; null where the sources
 * are not those that the plan was made from.
 */
export function whatRuns(
  plan: WorkspacePlan,
  development: SourceModel,
  production: SourceModel,
): SourceModel | null {
  const develops = plan.mirror?.develops ?? [];
  const dev = named(development.services, plan.devService);
  if (dev === undefined) return null;
  const developed = develops.flatMap((name) => named(production.services, name) ?? []);
  const services = plan.services.flatMap(({ name, mirror }) => {
    if (name === plan.devService) return standsIn(dev, developed);
    const mirrored = mirror === undefined ? undefined : named(production.services, name);
    if (mirrored !== undefined) return alone(mirrored);
    return named(development.services, name) ?? [];
  });
  if (services.length !== plan.services.length) return null;
  return {
    ...development,
    services,
    volumes: [...development.volumes, ...production.volumes],
  };
}

/** The dev service under the name of what it stands in for, with its environment around its own. */
function standsIn(dev: SourceService, developed: readonly SourceService[]): SourceService {
  const [first] = developed;
  if (first === undefined) return dev;
  const { where } = dev.name;
  const own = unknown<string[] | null>("It is what somebody starts in it.", where);
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
