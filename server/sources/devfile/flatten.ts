import type { Diagnostic } from "../../protocol/errors.ts";
import type { Place } from "../../protocol/fact.ts";
import type { LeftOut } from "../../protocol/source-model.ts";
import { parseTree } from "../yaml/parse.ts";
import { quote, SourceText } from "../yaml/source-text.ts";
import { itemsOf, textOf, valueOf } from "../yaml/tree.ts";
import type { MapNode, TreeNode } from "../yaml/tree.ts";
import { mergeParts, type TakenIn } from "./merge.ts";
import { applyOverrides } from "./overrides.ts";
import { locationName, readReference } from "./references.ts";
import type { DevfileReference, DocumentLocation } from "./references.ts";
import { readVersion } from "./schema-version.ts";
import { documentSchema } from "./schema.ts";
import { checkShape } from "./shape.ts";
import { before } from "./version.ts";
import type { Version } from "./version.ts";

/** A devfile that another one names, or why it could not be had: a sentence for the user. */
export type DevfileDocument = { readonly text: string } | { readonly failure: string };

/** By `locationName`. */
export type DevfileDocuments = ReadonlyMap<string, DevfileDocument>;

/** A devfile that has to be read before this one can be. */
export interface NeededDocument {
  readonly name: string;
  readonly location: DocumentLocation;
  /** Where it is named. */
  readonly where: Place;
}

/** Parents of parents are few; a hostile file could name thousands. */
const maxDocuments = 20;

/** A devfile with its parents and plugins in it. */
export interface Flattened {
  readonly content: MapNode;
  readonly version: Version;
  /** Why a name that is not here may yet be right, as a sentence; null when all must be here. */
  readonly elsewhere: string | null;
  /** What was named, and is not read. */
  readonly leftOut: readonly LeftOut[];
}

interface Document {
  readonly content: MapNode;
  readonly version: Version;
}

/**
 * Puts a devfile together with what its `parent` and its `plugin` components name. Pure: reads only
 * what it is given, and says what it lacks.
 */
export class Flattening {
  readonly needed = new Map<string, NeededDocument>();
  readonly #documents: DevfileDocuments;
  readonly #sources: SourceText[] = [];
  readonly #parsed = new Map<string, Document | null>();
  readonly #leftOut: LeftOut[] = [];

  constructor(documents: DevfileDocuments) {
    this.#documents = documents;
  }

  get hasErrors(): boolean {
    return this.#sources.some((source) => source.hasErrors);
  }

  /** Whether two braces may stand in a text, as they are or by an escape. */
  get mayHaveVariables(): boolean {
    return this.#sources.some(({ text }) => text.includes("{{") || text.includes("\\"));
  }

  /** The main file's first, each file's in their order. */
  diagnostics(): Diagnostic[] {
    return this.#sources.flatMap((source) => source.diagnostics());
  }

  /** Null, and reported, where nothing can be read. */
  flatten(text: string, file: string): Flattened | null {
    const main = this.#parse(text, { kind: "repository", path: file });
    if (main === null) return null;
    return this.#flatten(main, [{ kind: "repository", path: file }]);
  }

  #parse(text: string, location: DocumentLocation): Document | null {
    const source = new SourceText(text, locationName(location));
    this.#sources.push(source);
    const tree = parseTree(source);
    if (tree === null || (tree.kind === "scalar" && tree.value === null)) {
      if (!source.hasErrors) {
        source.report({ start: 0, end: 1 }, emptyFile);
      }
      return null;
    }
    const version = readVersion(tree);
    if (version === null || tree.kind !== "map") return null;
    checkShape(tree, { schema: documentSchema("devfile", version), version });
    return { content: tree, version };
  }

  /** @param chain Where this document and those that name it are, the main file first. */
  #flatten(document: Document, chain: readonly DocumentLocation[]): Flattened {
    const { content, version } = document;
    const takenIn: TakenIn[] = [];
    const replaced = new Set<TreeNode>();
    let elsewhere: string | null = null;
    const parent = valueOf(content, "parent");
    if (parent?.kind === "map") {
      const taken = this.#takeIn(parent, { from: "the parent", document, chain });
      elsewhere ??= taken.elsewhere;
      if (taken.content !== null) takenIn.push({ from: "the parent", content: taken.content });
    }
    for (const component of itemsOf(content, "components")) {
      const plugin = valueOf(component, "plugin");
      if (plugin?.kind !== "map") continue;
      const from = `plugin ${quote(textOf(component, "name") ?? "")}`;
      const taken = this.#takeIn(plugin, { from, document, chain });
      elsewhere ??= taken.elsewhere;
      if (taken.content === null) continue;
      takenIn.push({ from, content: taken.content });
      replaced.add(component);
    }
    const merged =
      takenIn.length === 0 ? content : mergeParts({ main: content, takenIn, replaced });
    return { content: merged, version, elsewhere, leftOut: this.#leftOut };
  }

  #takeIn(
    map: MapNode,
    by: { from: string; document: Document; chain: readonly DocumentLocation[] },
  ): { content: MapNode | null; elsewhere: string | null } {
    const nothing = { content: null, elsewhere: `${by.from} may have it, and is not read.` };
    const base = by.chain.at(-1);
    const reference = base === undefined ? null : readReference(map, base);
    if (reference?.kubernetes === true) {
      this.#leftOut.push({
        what: `${by.from} (kubernetes)`,
        why: "What stands in a Kubernetes cluster cannot be read: name it by `uri` or `id`.",
        where: reference.at.source.place(reference.at.written.start),
      });
    }
    if (reference === null || reference.location === null) return nothing;
    const { at, location } = reference;
    const name = locationName(location);
    if (by.chain.some((each) => locationName(each) === name)) {
      const way = [...by.chain, location].map(locationName).join(" → ");
      report(at, "import-cycle", `This leads back to where it began (${way}): remove it.`);
      return nothing;
    }
    const found = this.#read(name, { ...reference, location });
    if (found === null) return nothing;
    if (before(by.document.version, found.version)) {
      report(
        at,
        "newer-version",
        `${name} is of schemaVersion ${found.version.join(".")}, and this devfile of ${by.document.version.join(".")}: raise it here.`,
      );
    }
    const flat = this.#flatten(found, [...by.chain, location]);
    const overrides = {
      ...map,
      entries: map.entries.filter((entry) => !referenceKeys.includes(entry.name)),
    };
    return {
      content: applyOverrides(flat.content, overrides, by.from),
      elsewhere: flat.elsewhere,
    };
  }

  #read(name: string, { at, location }: DevfileReference & { location: DocumentLocation }) {
    const known = this.#parsed.get(name);
    if (known !== undefined) return known;
    if (this.#parsed.size >= maxDocuments) {
      report(
        at,
        "too-many-imports",
        `More than ${maxDocuments} devfiles are too many: name fewer.`,
      );
      return null;
    }
    const document = this.#documents.get(name);
    if (document === undefined) {
      this.needed.set(name, { name, location, where: at.source.place(at.written.start) });
      report(at, "unread-import", `${quote(name)} was not read, and is needed.`);
      return null;
    }
    if ("failure" in document) {
      report(at, "unreadable-import", document.failure);
      return null;
    }
    const parsed = this.#parse(document.text, location);
    this.#parsed.set(name, parsed);
    return parsed;
  }
}

const referenceKeys: readonly string[] = ["uri", "id", "kubernetes", "registryUrl", "version"];

const emptyFile = {
  severity: "error",
  code: "empty-file",
  message: "The devfile is empty: begin with `schemaVersion: 2.2.0`, or remove the file.",
} as const;

function report(at: TreeNode, code: string, message: string): void {
  at.source.report(at.written, { severity: "error", code, message });
}
