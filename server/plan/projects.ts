import { OneloopError } from "../protocol/errors.ts";
import type { Place } from "../protocol/fact.ts";
import type { Checkout } from "../protocol/plan.ts";
import type { SourceModel, SourceProject } from "../protocol/source-model.ts";
import { sourceRoot } from "../sources/source-root.ts";
import type { Facts } from "./facts.ts";

/** A project whose commit is still to be found out. */
export interface ProjectToCheckOut {
  readonly name: string;
  readonly url: string;
  /** A branch, tag or commit; null: the remote's default branch. */
  readonly revision: string | null;
  /** Absolute, such as `/workspace/libs/tool`. */
  readonly path: string;
  /** The names of its remotes, and the URLs of the further ones. */
  readonly remotes: Remotes;
  /** Where the URL stands in the file. */
  readonly where: Place;
}

type Remotes = Pick<Checkout, "remote" | "otherRemotes">;

type Opened = Pick<Checkout, "url" | "path">;

/**
 * The projects that are checked out beside the opened repository: not that repository itself again,
 * and nothing in its folder. One in another's folder comes after that other.
 *
 * @param opened Null for a workspace without a repository.
 */
export function projectsToCheckOut(model: SourceModel, opened: Opened | null): ProjectToCheckOut[] {
  const wanted = model.projects.flatMap((project): ProjectToCheckOut[] => {
    const judged = judge(project, opened);
    if (judged.why !== null) return [];
    const { name, revision, url } = project;
    const ref = revision.known ? revision.value : null;
    const { url: remote, path } = judged;
    const remotes = remotesOf(project);
    return [{ name, url: remote, revision: ref, path, remotes, where: url.where }];
  });
  return wanted.sort((a, b) => a.path.split("/").length - b.path.split("/").length);
}

/** The opened checkout, with the remotes of the project that names the same repository. */
export function withRemotes(model: SourceModel, opened: Checkout): Checkout {
  const same = model.projects.find(({ url }) => url.known && sameRepository(url.value, opened.url));
  return same === undefined ? opened : { ...opened, ...remotesOf(same) };
}

function remotesOf({ remote, otherRemotes = [] }: SourceProject): Remotes {
  const others = otherRemotes.flatMap(({ name, url }) =>
    url.known ? [{ name, url: url.value }] : [],
  );
  return {
    ...(remote === undefined ? {} : { remote }),
    ...(others.length === 0 ? {} : { otherRemotes: others }),
  };
}

type Judged =
  | { readonly why: null; readonly url: string; readonly path: string }
  | { readonly why: string };

function judge({ url, clonePath }: SourceProject, opened: Opened | null): Judged {
  if (!url.known) return { why: url.why };
  if (!clonePath.known) return { why: clonePath.why };
  const path = `${sourceRoot}/${clonePath.value}`;
  if (opened !== null && sameRepository(url.value, opened.url)) {
    return { why: `It is the opened repository, which is at ${opened.path}.` };
  }
  if (path === opened?.path) {
    return { why: `Its folder ${path} is that of the opened repository, which stays.` };
  }
  return { why: null, url: url.value, path };
}

/**
 * The chosen checkouts, as far as the paths fit; every project that is not among them is listed.
 *
 * @throws OneloopError `plan-impossible`
 */
export function planProjects(
  model: SourceModel,
  { checkout, projects }: { checkout: Checkout | null; projects: readonly Checkout[] },
  facts: Facts,
): Checkout[] {
  const paths = new Set(checkout === null ? [] : [checkout.path]);
  for (const { path } of projects) {
    belowSourceRoot(path);
    if (paths.has(path)) {
      throw new OneloopError("plan-impossible", `Two repositories want the folder ${path}.`);
    }
    paths.add(path);
  }
  for (const project of model.projects) {
    const judged = judge(project, checkout);
    if (judged.why === null && paths.has(judged.path)) continue;
    facts.leftOut.push({
      what: `project ${JSON.stringify(project.name)}`,
      why: judged.why ?? "It was not checked out.",
      where: project.where,
    });
  }
  return [...projects];
}

/** `/govapp` of `/workspace/govapp`: the same folder of the source volume, wherever it is mounted. */
export function belowSourceRoot(path: string): string {
  if (path === sourceRoot || path.startsWith(`${sourceRoot}/`))
    return path.slice(sourceRoot.length);
  throw new OneloopError(
    "plan-impossible",
    `The checkout must be below ${sourceRoot}, and ${path} is not.`,
  );
}

/**
 * Whether two URLs name one repository: the same path, with or without `.git`, on the same host. The
 * port counts only between URLs of one scheme: a host's https and ssh differ in it.
 */
function sameRepository(a: string, b: string): boolean {
  const [left, right] = [parseRemote(a), parseRemote(b)];
  if (left === null || right === null) return a === b;
  const sameHost = left.host === right.host && left.path === right.path;
  return sameHost && (left.scheme !== right.scheme || left.port === right.port);
}

interface RemoteParts {
  readonly scheme: string;
  readonly host: string;
  readonly port: string;
  readonly path: string;
}

function parseRemote(url: string): RemoteParts | null {
  const [, scpHost, scpPath] = /^(?:[^@/:]+@)?([^@/:]+):(?!\/\/)(.*)$/.exec(url) ?? [];
  if (scpHost !== undefined && scpPath !== undefined) {
    return { scheme: "ssh:", host: scpHost.toLowerCase(), port: "", path: plainPath(scpPath) };
  }
  try {
    const { protocol, hostname, port, pathname } = new URL(url);
    return {
      scheme: protocol,
      host: hostname.toLowerCase(),
      port: protocol === "ssh:" && port === "22" ? "" : port,
      path: plainPath(pathname),
    };
  } catch {
    return null;
  }
}

function plainPath(path: string): string {
  const segments = path.split("/").filter((segment) => segment !== "");
  return segments.join("/").replace(/\.git$/, "");
}
