import type { Place } from "../../protocol/fact.ts";
import type { SourceText } from "../yaml/source-text.ts";
import { interpolate } from "./interpolate.ts";
import { Mark } from "./part.ts";
import type { Environment, Origin } from "./part.ts";

/** Larger env files are not written by people. In UTF-16 code units. */
const maxTextChars = 1024 * 1024;

/** A line of an env file, with its variables replaced. */
export interface EnvEntry {
  readonly name: string;
  readonly value: string;
  readonly unset: readonly string[];
  readonly variable: string | null;
  readonly where: Place;
}

/** As it is written: `raw` where quotes are taken off and nothing is to be replaced. */
interface Written {
  readonly name: string;
  /** Null: the name alone, whose value comes from outside. */
  readonly value: {
    readonly text: string;
    readonly literal: boolean;
    readonly start: number;
  } | null;
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a file of `NAME=value` lines as Compose does: comments, `export`, single quotes (as they
 * stand), double quotes (with `\n` and the like; they may span lines), and variables of `outside` or
 * of earlier lines. A name alone has its value from `outside`. Mistakes are reported to the file.
 *
 * @param raw Nothing is replaced and quotes are text (`env_file` with `format: raw`).
 */
export function readEnvFile(
  origin: Omit<Origin, "env">,
  { outside, raw = false }: { outside: Environment; raw?: boolean },
): EnvEntry[] {
  const { source, budget } = origin;
  if (source.text.length > maxTextChars) {
    fail(source, { start: 0, end: 1 }, `The file is larger than ${maxTextChars} characters.`);
    return [];
  }
  const written = raw ? rawLines(source) : lines(source);
  const cycle = raw ? new Set<string>() : cycles(written, outside);
  const env = new Map(outside);
  const found = new Map<string, EnvEntry>();
  for (const line of written) {
    budget.spend(1);
    const at = new Mark({ ...origin, env }, { start: line.start, end: line.end });
    if (cycle.has(line.name)) {
      at.error("variable-cycle", `${line.name} is made of itself: give one of them a value.`);
      continue;
    }
    const entry = evaluate(line, at, env);
    if (entry === null) continue;
    budget.spend(Math.ceil(entry.value.length / 64));
    found.set(line.name, entry);
    // What is set outside counts; and where nobody set what a value is made of, nobody set it.
    if (outside.has(line.name)) continue;
    if (entry.unset.length === 0) env.set(line.name, entry.value);
    else env.delete(line.name);
  }
  return [...found.values()];
}

function evaluate({ name, value }: Written, at: Mark, env: Environment): EnvEntry | null {
  const { where } = at;
  if (value === null) {
    const outer = env.get(name);
    return outer === undefined
      ? { name, value: "", unset: [name], variable: name, where }
      : { name, value: outer, unset: [], variable: null, where };
  }
  if (value.literal) return { name, value: value.text, unset: [], variable: null, where };
  const done = interpolate(value.text, env);
  if ("code" in done) {
    const start = value.start + done.at;
    new Mark(at.origin, { start, end: start + 1 }).error(done.code, done.message);
    return null;
  }
  const { text, unset, variable } = done;
  return { name, value: text, unset, variable, where };
}

const nameLine = /[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*(?:[=:][ \t]*|(?=\r?\n|$|#))/y;

function lines(source: SourceText): Written[] {
  const { text } = source;
  const found: Written[] = [];
  let at = 0;
  while (at < text.length) {
    const lineEnd = endOfLine(text, at);
    const rest = text.slice(at, lineEnd);
    if (/^\s*(?:#|$)/.test(rest)) {
      at = lineEnd + 1;
      continue;
    }
    nameLine.lastIndex = at;
    const match = nameLine.exec(text);
    const [whole = "", name = ""] = match ?? [];
    if (match === null) {
      fail(source, { start: at, end: lineEnd }, "This is no line such as `NAME=value`: mend it.");
      at = lineEnd + 1;
      continue;
    }
    const start = at + whole.search(/\S/);
    const valueAt = at + whole.length;
    const assigned = /[=:]/.test(whole);
    const value = assigned ? readValue(source, valueAt) : null;
    const end = value?.end ?? lineEnd;
    if (value !== null || !assigned) {
      found.push({ name, value: value?.value ?? null, start, end: Math.min(end, lineEnd) });
    }
    at = endOfLine(text, Math.max(end, at)) + 1;
  }
  return found;
}

interface ReadValue {
  readonly value: NonNullable<Written["value"]>;
  readonly end: number;
}

function readValue(source: SourceText, start: number): ReadValue | null {
  const { text } = source;
  const quote = text[start];
  if (quote !== '"' && quote !== "'") {
    const end = endOfLine(text, start);
    // A comment begins behind a blank; a `#` in a password is none.
    const plain = text
      .slice(start, end)
      .replace(/^#.*|\s#.*/s, "")
      .trimEnd();
    return { value: { text: plain, literal: false, start }, end };
  }
  const closing = quote === '"' ? /\\[^]|"/g : /\\'|'/g;
  closing.lastIndex = start + 1;
  for (let match = closing.exec(text); match !== null; match = closing.exec(text)) {
    if (match[0] !== quote) continue;
    const inner = text.slice(start + 1, match.index);
    const value =
      quote === "'"
        ? { text: inner.replaceAll("\\'", "'"), literal: true, start: start + 1 }
        : { text: unescape(inner), literal: false, start: start + 1 };
    return { value, end: match.index + 1 };
  }
  fail(source, { start, end: endOfLine(text, start) }, "This quote is not closed: close it.");
  return null;
}

/** `\$` becomes `$$`: it stays a dollar sign when variables are replaced. */
function unescape(text: string): string {
  const signs: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", $: "$$" };
  return text.replaceAll(/\\([^])/g, (whole, sign: string) => {
    if (sign === '"' || sign === "\\" || sign === "'") return sign;
    return signs[sign] ?? whole;
  });
}

function rawLines({ text }: SourceText): Written[] {
  const found: Written[] = [];
  for (let at = 0; at < text.length; at = endOfLine(text, at) + 1) {
    const end = endOfLine(text, at);
    const match = /^([A-Za-z_][\w.-]*)(?:=(.*))?$/s.exec(text.slice(at, end));
    if (match === null) continue;
    const [, name = "", value] = match;
    const start = at + name.length + 1;
    found.push({
      name,
      value: value === undefined ? null : { text: value, literal: true, start },
      start: at,
      end,
    });
  }
  return found;
}

/**
 * The names that are made of each other and of nothing else, such as `A=$B` and `B=$A`. (`A=$A` is
 * how one passes a variable on.)
 */
function cycles(written: readonly Written[], outside: Environment): ReadonlySet<string> {
  const uses = new Map<string, string[]>();
  for (const { name, value } of written) {
    if (value === null || value.literal || outside.has(name)) continue;
    const done = interpolate(value.text, new Map());
    uses.set(name, "code" in done ? [] : done.unset.filter((used) => used !== name));
  }
  const found = new Set<string>();
  const done = new Set<string>();
  for (const first of uses.keys()) {
    // A walk without recursion: a file may have a hundred thousand lines.
    const path: string[] = [first];
    const onPath = new Set(path);
    const next: number[] = [0];
    while (path.length > 0) {
      const name = path.at(-1) ?? "";
      const at = next.at(-1) ?? 0;
      const used = done.has(name) ? undefined : uses.get(name)?.[at];
      if (used === undefined) {
        done.add(name);
        onPath.delete(name);
        path.pop();
        next.pop();
        continue;
      }
      next[next.length - 1] = at + 1;
      if (onPath.has(used)) for (const each of path.slice(path.indexOf(used))) found.add(each);
      else if (uses.has(used)) {
        path.push(used);
        onPath.add(used);
        next.push(0);
      }
    }
  }
  return found;
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end === -1 ? text.length : end;
}

function fail(source: SourceText, at: { start: number; end: number }, message: string): void {
  source.report(at, { severity: "error", code: "bad-env-file", message });
}
