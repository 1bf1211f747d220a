import { posix } from "node:path";
import { known, unknown } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { SourceManifest } from "../../protocol/source-model.ts";
import type { Cursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import { itemsOf, textOf, valueOf } from "../yaml/tree.ts";
import type { MapNode, ScalarNode } from "../yaml/tree.ts";
import type { DevfileDocuments, NeededDocument } from "./flatten.ts";

/** What the objects of a `kubernetes` or `openshift` component are read from. */
type Objects = NonNullable<SourceManifest["objects"]>;

/** A person names a few files; a hostile devfile could name thousands. */
const maxFiles = 50;

/**
 * The files of the repository that components of a devfile name as their objects, beside `documents`.
 *
 * @param content With the values of its variables.
 * @param file The main devfile's path: what others name stands elsewhere.
 */
export function neededManifests(
  content: MapNode,
  file: string,
  documents: DevfileDocuments,
): NeededDocument[] {
  const needed = new Map<string, NeededDocument>();
  for (const component of itemsOf(content, "components")) {
    for (const kind of ["kubernetes", "openshift"]) {
      const at = valueOf(valueOf(component, kind), "uri");
      const path =
        at?.source.file === file ? pathOf(textOf(valueOf(component, kind), "uri"), file) : null;
      if (at === undefined || path === null || documents.has(path)) continue;
      const where = at.source.place(at.written.start);
      needed.set(path, { name: path, location: { kind: "repository", path }, where });
    }
  }
  return [...needed.values()].slice(0, Math.max(0, maxFiles - documents.size));
}

/** The text behind a `uri`, where it is one of the repository's files and was read. */
export function objectsBehind(
  at: Cursor,
  uri: string,
  { file, documents }: { file: string; documents: DevfileDocuments },
): Objects {
  const path = at.source.file === file ? pathOf(uri, file) : null;
  if (path === null) {
    return unknown("Only files of this repository are read, below its root.", at.where);
  }
  const document = documents.get(path);
  if (document === undefined) return unknown(`${quote(path)} was not read.`, at.where);
  return "failure" in document
    ? unknown(document.failure, at.where)
    : known({ file: path, text: document.text }, at.where);
}

/** Below the repository's root; null for what lies elsewhere. */
function pathOf(uri: string | undefined, file: string): string | null {
  if (uri === undefined || uri === "" || /^[a-z][-+.a-z0-9]*:|^\/|[\p{Cc}\\]/iu.test(uri)) {
    return null;
  }
  const path = posix.join(posix.dirname(file), uri);
  return path === ".." || path.startsWith("../") ? null : path;
}

/**
 * Text that stands in the devfile, with the lines and, in a literal block (`|`), the columns that it
 * has there: its mistakes and its parts are found by them.
 */
export function objectsIn(at: Cursor, text: string): Objects {
  const { source, written } = at;
  const { file, line } = source.place(written.start);
  return known({ file, text: placed(text, at.node as ScalarNode, line) }, at.where) as Fact<{
    file: string;
    text: string;
  }>;
}

function placed(text: string, { source, written }: ScalarNode, line: number): string {
  if (source.text[written.start] !== "|") return "\n".repeat(line - 1) + text;
  const begin = source.text.indexOf("\n", written.start) + 1;
  const indent = /^\n*( *)/.exec(source.text.slice(begin, written.end))?.[1] ?? "";
  const lines = text.split("\n").map((one) =>
    // Between documents a marker begins its line.
    one === "" || /^(?:---|\.\.\.)(?:\s|$)/.test(one) ? one : indent + one,
  );
  return "\n".repeat(line) + lines.join("\n");
}
