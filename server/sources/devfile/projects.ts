import type { Fact } from "../../protocol/fact.ts";
import type { SourceProject } from "../../protocol/source-model.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import { readCheckout } from "./git-source.ts";
import { projectKinds } from "./keys.ts";
import type { DevfileContext, Named } from "./model.ts";
import { leaveOutKey, readKind, readName } from "./values.ts";

type ProjectKind = (typeof projectKinds)[number];

/** A list of projects at the top of a devfile. */
interface ProjectList {
  readonly key: "projects" | "starterProjects" | "dependentProjects";
  readonly one: string;
}

/**
 * Reads the projects that come from git, those that are dependent on the opened one behind the
 * others; what is not checked out goes to `leftOut`.
 */
export function readProjects(top: MapCursor, context: DevfileContext): SourceProject[] {
  const paths: Taken = new Map();
  const read = (list: ProjectList) => readList(top, { ...list, paths }, context);
  return [
    ...read({ key: "projects", one: "project" }),
    ...read({ key: "dependentProjects", one: "dependent project" }),
  ];
}

/** From a path to the name of the project that is there. */
type Taken = Map<string, string>;

function readList(
  top: MapCursor,
  { key, one, paths }: ProjectList & { readonly paths: Taken },
  context: DevfileContext,
): SourceProject[] {
  const names = new Set<string>();
  return top.list(key).flatMap((item) => {
    const map = item.map();
    if (map === null) return [];
    const name = readName(map);
    const project = { map, one, name: name ?? { text: "", at: item } };
    const clonePath = readClonePath(project);
    const isNew = name === null || checkName(name, names);
    if (isNew && clonePath !== null) checkPath(clonePath, project, paths);
    const source = readSource(project, context);
    if (source === null || clonePath === null) return [];
    const { text, at } = project.name;
    return [{ name: text, ...source, clonePath: clonePath.fact, where: at.where }];
  });
}

/** Checks the starter projects, of which nobody chose one: they go to `leftOut`. */
export function readStarterProjects(top: MapCursor, context: DevfileContext): void {
  const names = new Set<string>();
  for (const item of top.list("starterProjects")) {
    const map = item.map();
    if (map === null) continue;
    const name = readName(map);
    const what = name === null ? "starter project" : `starter project ${quote(name.text)}`;
    if (name !== null) checkName(name, names);
    leaveOutKey(map, { key: "attributes", of: what }, context);
    const kind = readKind(map, projectKinds);
    const self = kind === null ? null : map.body(kind);
    if (self !== null && kind !== "zip") readCheckout(self, { several: "refused", self });
    const why = "It is where a new repository begins, and this one has begun.";
    context.leftOut.push({ what, why, where: (name?.at ?? item).where });
  }
}

interface Project {
  readonly map: MapCursor;
  readonly name: Named;
  /** What the list calls it. */
  readonly one: string;
}

function checkName({ text, at }: Named, names: Set<string>): boolean {
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

function checkPath({ path, at }: ClonePath, { name }: Project, paths: Taken): void {
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
function readClonePath({ map, name }: Project): ClonePath | null {
  const maxChars = 1000;
  const at = map.get("clonePath");
  if (at === null) {
    const { text } = name;
    return text === "" ? null : { path: text, at: name.at, fact: name.at.fact(text) };
  }
  const text = at.string();
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

type GitSource = Pick<SourceProject, "url" | "revision" | "remote" | "otherRemotes">;

function readSource(project: Project, context: DevfileContext): GitSource | null {
  const { map, name, one } = project;
  const kind: ProjectKind | null = readKind(map, projectKinds);
  const what = `${one} ${quote(name.text)}`;
  leaveOutKey(map, { key: "attributes", of: what }, context);
  const sparse = map.get("sparseCheckoutDirs");
  if (sparse !== null) {
    const why = "The whole repository is checked out.";
    context.leftOut.push({ what: `sparseCheckoutDirs of ${what}`, why, where: sparse.where });
  }
  const self = kind === null ? null : map.body(kind);
  if (self === null) return null;
  if (kind === "zip") {
    const why = "Projects from archives are not supported: use one from git.";
    context.leftOut.push({ what: `${what} (zip)`, why, where: name.at.where });
    return null;
  }
  const checkout = readCheckout(self, { several: "allowed", self });
  if (checkout === null) return null;
  const { url, revision, remote, others } = checkout;
  return {
    url,
    revision,
    ...(remote === "origin" ? {} : { remote }),
    ...(others.length === 0 ? {} : { otherRemotes: [...others] }),
  };
}
