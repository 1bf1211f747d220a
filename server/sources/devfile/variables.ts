import { didYouMean } from "../near-names.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import type { TextRange } from "../yaml/source-text.ts";
import { before } from "./keys.ts";
import type { Version } from "./keys.ts";

const reference = /\{\{([^{}]*)\}\}/g;

/** What a person can mean as a variable; `{{.Names}}` and `{{json .}}` are other programs' own. */
const variableName = /^[\w](?:[-\w.]*[\w])?$/;

/** One long value, put in a hundred thousand times, would fill the memory. In UTF-16 code units. */
const maxInsertedChars = 1024 * 1024;

/** The version that brought variables: in older devfiles braces are only text. */
const since = [2, 1, 0] as const;

/**
 * The devfile's `variables`, and the texts in which they are put in (https://devfile.io/docs: not in
 * names, references to names, closed lists, `metadata`, `schemaVersion`, `parent`). A value is put in
 * as it stands: braces in it are text.
 */
export class Variables {
  readonly #enabled: boolean;
  /** Null: the value is wrong, which was reported. */
  readonly #values = new Map<string, string | null>();
  #room = maxInsertedChars;

  constructor(top: MapCursor, version: Version) {
    this.#enabled = !before(version, since);
    const map = top.get("variables")?.map() ?? null;
    for (const { name } of map?.entries ?? []) {
      this.#values.set(name, map?.required(name, '"text"')?.string() ?? null);
    }
  }

  /**
   * Text with its variables replaced. Null, and reported, when it is no text or names a variable
   * that does not exist (at its column).
   */
  text(cursor: Cursor): string | null {
    const written = cursor.string();
    if (written === null || !this.#enabled) return written;
    const references = Array.from(written.matchAll(reference), ([, inside = ""]) => inside.trim());
    if (references.length === 0) return written;
    const places = placesOf(cursor, references.length);
    let right = true;
    let nth = 0;
    const replaced = written.replaceAll(reference, (whole: string) => {
      const value = this.#valueOf(references[nth] ?? "", {
        cursor,
        range: places?.[nth] ?? cursor.written,
        whole,
      });
      nth += 1;
      right &&= value !== null;
      return value ?? "";
    });
    return right ? replaced : null;
  }

  #valueOf(
    name: string,
    at: { readonly cursor: Cursor; readonly range: TextRange; readonly whole: string },
  ): string | null {
    const { cursor, range, whole } = at;
    const value = this.#values.get(name);
    if (value === undefined) {
      if (!variableName.test(name)) {
        cursor.source.report(range, {
          severity: "warning",
          code: "not-a-variable",
          message: `${quote(whole)} can be no variable of this devfile: it stays as it is.`,
        });
        return whole;
      }
      const advice = didYouMean(name, this.#values.keys()) || ": add it to `variables`.";
      cursor.source.report(range, {
        severity: "error",
        code: "unknown-variable",
        message: `No variable is named ${quote(name)}${advice}`,
      });
      return null;
    }
    if (value === null) return null;
    this.#room -= value.length;
    if (this.#room >= 0) return value;
    cursor.source.report(range, {
      severity: "error",
      code: "too-much-text",
      message: "With its variables put in, this devfile is too long: shorten them.",
    });
    return null;
  }
}

/**
 * Where the references stand in the file. Null where the written text does not show as many: behind
 * an alias, or written with escapes.
 */
function placesOf({ source, written }: Cursor, count: number): TextRange[] | null {
  const raw = source.text.slice(written.start, written.end);
  const places = Array.from(raw.matchAll(reference), ({ 0: { length }, index }) => {
    const start = written.start + index;
    return { start, end: start + length };
  });
  return places.length === count ? places : null;
}
