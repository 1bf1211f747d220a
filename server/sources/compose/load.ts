import type { LeftOut } from "../../protocol/source-model.ts";
import { didYouMean } from "../near-names.ts";
import { parseTree } from "../yaml/parse.ts";
import { quote, SourceText } from "../yaml/source-text.ts";
import type { MapNode, TreeNode } from "../yaml/tree.ts";
import { Budget } from "./budget.ts";
import { canonicalProject } from "./canonical.ts";
import { readEnvFile } from "./env-file.ts";
import type { EnvEntry } from "./env-file.ts";
import { fromTree, mergeTags } from "./from-tree.ts";
import { mergeProjects, mergeServices } from "./merge.ts";
import { entry, map, Mark, textOf } from "./part.ts";
import type { Environment, MapPart, Origin, PartEntry } from "./part.ts";
import { folderOf, resolvePath, whyOutside } from "./paths.ts";
import type { ReadFile } from "./paths.ts";

/** What holds for the files of one project, or of one that is included. */
export interface Scope {
  readonly folder: string;
  readonly env: Environment;
}

/** A file of a scope, with those of its services that are asked for. */
interface LoadedFile {
  readonly path: string;
  readonly root: MapPart;
  readonly scope: Scope;
  /** Null: it cannot be told what the service is, which was reported. */
  readonly services: Map<string, MapPart | null>;
  readonly open: Set<string>;
}

/** A service that extends one that extends one …: nobody goes further. */
const maxExtends = 64;

const emptyFile = {
  severity: "error",
  code: "empty-file",
  message: "The compose file is empty: begin with `services:`, or remove the file.",
} as const;

/** Reads the files of a project: each once, with what it extends. */
export class Loader {
  /** In the order in which they were read. */
  readonly sources: SourceText[] = [];
  readonly leftOut: LeftOut[] = [];
  readonly budget = new Budget();
  /** Why a name that is nowhere may be right nevertheless; null: all names must be here. */
  elsewhere: string | null = null;
  readonly #read: ReadFile;
  readonly #sources = new Map<string, SourceText | null>();
  readonly #trees = new Map<SourceText, MapNode | null>();
  readonly #files = new Map<Environment, Map<string, LoadedFile | null>>();
  readonly #envFiles = new Map<Environment, Map<string, readonly EnvEntry[] | null>>();

  constructor(read: ReadFile) {
    this.#read = read;
  }

  /** The files over one another, with each service's `extends` done. Null: one cannot be read. */
  project(paths: readonly { path: string; at: Mark | null }[], scope: Scope): MapPart | null {
    let project: MapPart | null = null;
    for (const { path, at } of paths) {
      const file = this.#file(path, scope, at);
      if (file === null) return null;
      const extended = this.#extended(file);
      project = project === null ? extended : mergeProjects(project, extended);
    }
    return project;
  }

  /**
   * The variables of an env file; null when there is none.
   *
   * @param origin Of whatever names the file.
   */
  envFile(path: string, origin: Origin, raw = false): readonly EnvEntry[] | null {
    const { folder, budget, env } = origin;
    const ofScope = this.#envFiles.get(env) ?? new Map<string, readonly EnvEntry[] | null>();
    this.#envFiles.set(env, ofScope);
    const key = `${raw ? "raw" : "env"}:${path}`;
    const known = ofScope.get(key);
    if (known !== undefined) return known;
    const source = this.source(path);
    const entries =
      source === null ? null : readEnvFile({ source, folder, budget }, { outside: env, raw });
    ofScope.set(key, entries);
    return entries;
  }

  /** The text of a file, once; null when there is none. */
  source(path: string): SourceText | null {
    const known = this.#sources.get(path);
    if (known !== undefined) return known;
    const text = this.#read(path);
    const source = text === null ? null : new SourceText(text, path);
    this.#sources.set(path, source);
    if (source !== null) this.sources.push(source);
    return source;
  }

  #file(path: string, scope: Scope, at: Mark | null): LoadedFile | null {
    const key = `${scope.folder}\0${path}`;
    const ofScope = this.#files.get(scope.env) ?? new Map<string, LoadedFile | null>();
    this.#files.set(scope.env, ofScope);
    const known = ofScope.get(key);
    if (known !== undefined) return known;
    const file = this.#open(path, scope, at);
    ofScope.set(key, file);
    return file;
  }

  #open(path: string, scope: Scope, at: Mark | null): LoadedFile | null {
    const source = this.source(path);
    if (source === null) {
      const message = `The repository has no file ${quote(path)}.`;
      if (at !== null) at.error("missing-file", message);
      else this.#noFile(path, message);
      return null;
    }
    const tree = this.#tree(source);
    if (tree === null) return null;
    const origin: Origin = { source, ...scope, budget: this.budget };
    const root = fromTree(tree, origin);
    if (root.kind !== "map") return null;
    const services = new Map<string, MapPart | null>();
    return { path, root: canonicalProject(root), scope, services, open: new Set() };
  }

  #noFile(path: string, message: string): void {
    const source = new SourceText("", path);
    this.sources.push(source);
    source.report({ start: 0, end: 1 }, { severity: "error", code: "missing-file", message });
  }

  #tree(source: SourceText): MapNode | null {
    const known = this.#trees.get(source);
    if (known !== undefined) return known;
    const tree = withoutExtensions(parseTree(source, mergeTags), source);
    this.#trees.set(source, tree);
    return tree;
  }

  #extended(file: LoadedFile): MapPart {
    const { root } = file;
    const services = root.entries.get("services");
    if (services?.value.kind !== "map") return root;
    const entries = new Map<string, PartEntry>();
    for (const [name, each] of services.value.entries) {
      const done = each.value.kind === "map" ? this.#service(file, name, 0) : each.value;
      if (done !== null) entries.set(name, { ...each, value: done });
    }
    const all = new Map(root.entries);
    all.set("services", { ...services, value: map(entries, services.value) });
    return map(all, root);
  }

  /** A service with what it extends; null when that cannot be told. */
  #service(file: LoadedFile, name: string, depth: number): MapPart | null {
    const known = file.services.get(name);
    if (known !== undefined) return known;
    const services = file.root.entries.get("services")?.value;
    const own = services?.kind === "map" ? services.entries.get(name)?.value : undefined;
    if (own?.kind !== "map") return null;
    file.open.add(name);
    const done = this.#extend(file, own, depth);
    file.open.delete(name);
    file.services.set(name, done);
    return done;
  }

  /** Where that cannot be told, `extends` stays: what the service has of it is not known. */
  #extend(file: LoadedFile, own: MapPart, depth: number): MapPart | null {
    const wish = entry(own, "extends");
    if (wish === null) return own;
    if (wish.kind !== "map") {
      wish.mark.error("wrong-type", "This must be a service's name, or a map with `service:`.");
      return own;
    }
    for (const [key, { key: at }] of wish.entries) {
      if (key === "service" || key === "file" || key.startsWith("x-")) continue;
      at.error("unknown-key", `Nothing is called ${quote(key)} here: remove it.`);
    }
    const namePart = entry(wish, "service");
    if (namePart === null) {
      wish.mark.error("missing-key", "The key `service` is missing: name the service to extend.");
      return own;
    }
    const name = textOf(namePart);
    const from = this.#fileOf(file, wish);
    if (name === null || from === null) return own;
    if (from.open.has(name)) {
      namePart.mark.error("extends-cycle", `${quote(name)} extends itself in the end: cut it.`);
      return own;
    }
    if (depth >= maxExtends) {
      namePart.mark.error("too-deep", `More than ${maxExtends} services extend another in a row.`);
      return own;
    }
    const services = from.root.entries.get("services")?.value;
    const names = services?.kind === "map" ? services.entries : new Map<string, PartEntry>();
    if (!names.has(name)) {
      const near = didYouMean(name, names.keys()) || ".";
      namePart.mark.error(
        "unknown-service",
        `No service of ${from.path} is called ${quote(name)}${near}`,
      );
      return own;
    }
    const base = this.#service(from, name, depth + 1);
    if (base === null) return own;
    const rest = new Map(own.entries);
    rest.delete("extends");
    return mergeServices(base, map(rest, own));
  }

  #fileOf(file: LoadedFile, wish: MapPart): LoadedFile | null {
    const part = entry(wish, "file");
    if (part === null) return file;
    const text = textOf(part);
    if (text === null) return null;
    const resolved = resolvePath(part.mark.origin.folder, text);
    if ("outside" in resolved) {
      if (resolved.outside === "remote") this.notRead(part.mark, `extends from ${quote(text)}`);
      else part.mark.error("outside-repository", `This is not read: ${whyOutside(resolved)}.`);
      return null;
    }
    const { path } = resolved;
    // Paths in it start from its own folder.
    return this.#file(path, { folder: folderOf(path), env: file.scope.env }, part.mark);
  }

  /** A part that is elsewhere, and what may be in it. */
  notRead(mark: Mark, what: string): void {
    const why = "Nothing is fetched from elsewhere.";
    this.leftOut.push({ what, why, where: mark.where });
    this.elsewhere = `${what}, which may have it, is not read`;
  }
}

function withoutExtensions(tree: TreeNode | null, source: SourceText): MapNode | null {
  if (tree === null || (tree.kind === "scalar" && tree.value === null)) {
    if (!source.hasErrors) source.report({ start: 0, end: 1 }, emptyFile);
    return null;
  }
  if (tree.kind !== "map") {
    const message = "A compose file is a map of keys and values: begin with `services:`.";
    source.report(tree.written, { severity: "error", code: "wrong-type", message });
    return null;
  }
  // What is said in an extension is said where it is used, by an alias.
  return { ...tree, entries: tree.entries.filter(({ name }) => !name.startsWith("x-")) };
}
