import { known } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { SourceProject } from "../../protocol/source-model.ts";
import { didYouMean } from "../near-names.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import { wrongRemote } from "./git-remote.ts";
import {
  checkKeys,
  checkoutFromKeys,
  gitKeys,
  projectKeys,
  projectKinds,
  zipKeys,
} from "./keys.ts";
import type { DevfileContext, Named } from "./model.ts";
import { leaveOutKey, readKind, readName } from "./values.ts";
import type { Variables } from "./variables.ts";

type ProjectKind = keyof typeof projectKinds;

/** Reads the projects that come from git; the others go to `leftOut`. */
export function readProjects(top: MapCursor, context: DevfileContext): SourceProject[] {
  const taken: Taken = { names: new Set(), paths: new Map() };
  return top.list("projects").flatMap((item) => {
    const map = item.map();
    if (map === null) return [];
    checkKeys(map, projectKeys, context.version);
    const name = readName(map, { example: "govapp" });
    const kind = readKind<ProjectKind>(map, projectKinds, {
      one: "project",
      example: "`git:` with its remotes",
    });
    const project = { map, name: name ?? { text: "", at: item } };
    const clonePath = readClonePath(project, context.variables);
    const isNew = name === null || checkName(name, taken);
    if (isNew && clonePath !== null) checkPath(clonePath, project, taken);
    const source = kind === null ? null : readSource({ ...project, kind }, context);
    if (source === null || clonePath === null) return [];
    const { text, at } = project.name;
    return [{ name: text, ...source, clonePath: clonePath.fact, where: at.where }];
  });
}

interface Project {
  readonly map: MapCursor;
  readonly name: Named;
}

interface Taken {
  readonly names: Set<string>;
  /** From a path to the name of the project that is there. */
  readonly paths: Map<string, string>;
}

function checkName({ text, at }: Named, { names }: Taken): boolean {
  if (!names.has(text)) {
    names.add(text);
    return true;
  }
  at.error("duplicate-project", `Another project is named ${quote(text)}: rename this one.`);
  return false;
}

interface ClonePath {
  readonly path: string;
  readonly at: Cursor;
  readonly fact: Fact<string>;
}

function checkPath({ path, at }: ClonePath, { name }: Project, { paths }: Taken): void {
  const other = paths.get(path);
  if (other === undefined) {
    paths.set(path, name.text);
    return;
  }
  at.error(
    "duplicate-path",
    `Project ${quote(other)} is checked out at ${quote(path)} too: use another path.`,
  );
}

/** Below the source root; the name where it is absent. Null, and reported, where it leads away. */
function readClonePath({ map, name }: Project, variables: Variables): ClonePath | null {
  const maxChars = 1000;
  const at = map.get("clonePath");
  if (at === null) {
    const { text } = name;
    return text === "" ? null : { path: text, at: name.at, fact: name.at.fact(text) };
  }
  const text = variables.text(at);
  if (text === null) return null;
  const segments = text.split("/").filter((segment) => segment !== "" && segment !== ".");
  // In a `.git` folder, files of one project would be programs that git runs in another.
  const forbidden = segments.some((each) => each === ".." || each.toLowerCase() === ".git");
  const long = text.length > maxChars;
  if (long || forbidden || segments.length === 0 || text.startsWith("/") || /\p{Cc}/u.test(text)) {
    at.error(
      "bad-path",
      `Nothing is checked out at ${quote(text)}: write a path below the sources, such as libs/tool, without "..".`,
    );
    return null;
  }
  const path = segments.join("/");
  return { path, at, fact: at.fact(path) };
}

type GitSource = Pick<SourceProject, "url" | "revision">;

function readSource(
  project: Project & { readonly kind: ProjectKind },
  context: DevfileContext,
): GitSource | null {
  const { map, name, kind } = project;
  const what = `project ${quote(name.text)}`;
  leaveOutKey(map, { key: "attributes", of: what }, context);
  const sparse = map.get("sparseCheckoutDirs");
  if (sparse !== null) {
    sparse.list();
    const why = "The whole repository is checked out.";
    context.leftOut.push({ what: `sparseCheckoutDirs of ${what}`, why, where: sparse.where });
  }
  const self = map.body(kind);
  if (self === null) return null;
  if (kind !== "zip") return readGit({ ...project, self }, context);
  checkKeys(self, zipKeys, context.version);
  const location = self.get("location");
  if (location !== null) context.variables.text(location);
  const why = "Projects from archives are not supported: use one from git.";
  context.leftOut.push({ what: `${what} (zip)`, why, where: name.at.where });
  return null;
}

interface Remote {
  readonly at: Cursor;
  /** Null: it has a mistake, which was reported. */
  readonly url: Fact<string> | null;
}

function readGit(
  project: Project & { readonly self: MapCursor },
  context: DevfileContext,
): GitSource | null {
  const { self, name } = project;
  const { version, variables, leftOut } = context;
  checkKeys(self, gitKeys, version);
  const remotesAt = self.required("remotes", "{origin: https://example.org/acme/tool.git}");
  const remotes = remotesAt === null ? null : readRemotes(remotesAt, variables);
  const from = self.get("checkoutFrom")?.map() ?? null;
  if (from !== null) checkKeys(from, checkoutFromKeys, version);
  const remoteAt = from?.get("remote") ?? null;
  const remoteName = remoteAt === null ? null : variables.text(remoteAt);
  const revision = readRevision(from, { self, variables });
  if (remotesAt === null || remotes === null || (remoteAt !== null && remoteName === null)) {
    return null;
  }
  const wanted = chooseRemote(remotes, {
    wanted: remoteAt === null || remoteName === null ? null : { text: remoteName, at: remoteAt },
    absentAt: from?.self ?? remotesAt,
  });
  const chosen = wanted === null ? undefined : remotes.get(wanted);
  for (const [other, { at }] of remotes) {
    if (other === wanted) continue;
    const what = `remote ${quote(other)} of project ${quote(name.text)}`;
    leftOut.push({ what, why: "Only the remote that is checked out is set up.", where: at.where });
  }
  return chosen === undefined || chosen.url === null ? null : { url: chosen.url, revision };
}

/** Null, and reported, where not all names are known. */
function readRemotes(at: Cursor, variables: Variables): Map<string, Remote> | null {
  const map = at.map();
  if (map === null) return null;
  const remotes = new Map<string, Remote>();
  let complete = true;
  for (const { name: key, key: keyAt } of map.entries) {
    const name = variables.text(keyAt);
    const urlAt = map.required(key, "https://example.org/acme/tool.git");
    const url = urlAt === null ? null : variables.text(urlAt);
    const wrong = url === null ? null : wrongRemote(url);
    if (wrong !== null) urlAt?.error("bad-url", wrong);
    if (name === null) complete = false;
    else if (remotes.has(name)) {
      keyAt.error("duplicate-key", `The remote ${quote(name)} stands here twice: remove one.`);
    } else {
      const right = urlAt !== null && url !== null && wrong === null;
      remotes.set(name, { at: keyAt, url: right ? urlAt.fact(url) : null });
    }
  }
  if (map.entries.length === 0) {
    at.error("no-remote", "A project needs a remote: add one, such as `origin: https://…`.");
  }
  return complete ? remotes : null;
}

/** The name of the remote to check out; null, and reported, where it is open. */
function chooseRemote(
  remotes: ReadonlyMap<string, Remote>,
  { wanted, absentAt }: { wanted: Named | null; absentAt: Cursor },
): string | null {
  if (wanted === null) {
    const [only, second] = remotes.keys();
    if (second === undefined) return only ?? null;
    absentAt.error(
      "no-checkout-remote",
      "Of several remotes one is checked out: say which with `checkoutFrom: {remote: …}`.",
    );
    return null;
  }
  if (remotes.has(wanted.text)) return wanted.text;
  const advice = didYouMean(wanted.text, remotes.keys()) || ": name one of this project's.";
  if (remotes.size > 0) {
    wanted.at.error("unknown-remote", `No remote is named ${quote(wanted.text)}${advice}`);
  }
  return null;
}

/** A branch, a tag or a commit; null where there is none, or a wrong one, which was reported. */
function readRevision(
  from: MapCursor | null,
  { self, variables }: { self: MapCursor; variables: Variables },
): Fact<string | null> {
  const at = from?.get("revision") ?? null;
  const text = at === null ? null : variables.text(at);
  if (at === null || text === null || text === "") return known(null, (at ?? from ?? self).where);
  // git-check-ref-format(1); a dash in front would be an option.
  if (text.length > 500 || /^-|[\s\p{Cc}~^:?*[\\]|\.\.|@\{/u.test(text)) {
    at.error("bad-revision", `${quote(text)} is no branch, tag or commit: check it.`);
  }
  return at.fact(text);
}
