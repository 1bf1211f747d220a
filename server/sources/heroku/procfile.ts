import type { Place } from "../../protocol/fact.ts";
import { refuseText } from "../yaml/refuse.ts";
import { quote } from "../yaml/source-text.ts";
import type { SourceText } from "../yaml/source-text.ts";

/** A Procfile has a handful of lines. In UTF-16 code units. */
const maxChars = 1024 * 1024;

/** A line of a Procfile. */
export interface Process {
  readonly name: string;
  /** A line for a shell. */
  readonly command: string;
  readonly where: Place;
}

/**
 * Reads `NAME: COMMAND` lines (https://devcenter.heroku.com/articles/procfile); comments and blank
 * lines are passed over. Mistakes are reported to the file.
 */
export function readProcfile(source: SourceText): Process[] {
  if (refuseText(source, maxChars)) return [];
  const processes = new Map<string, Process>();
  let start = 0;
  for (const line of source.text.split("\n")) {
    const at = start;
    start += line.length + 1;
    const text = line.trimEnd();
    if (/^\s*(?:#.*)?$/.test(text)) continue;
    const fail = (code: string, message: string): void => {
      source.report({ start: at, end: at + text.length }, { severity: "error", code, message });
    };
    const match = /^\s*([A-Za-z0-9_-]+):\s*(.*)$/.exec(text);
    const [, name = "", command = ""] = match ?? [];
    if (match === null) fail("bad-process", "This is no process: write `NAME: COMMAND`.");
    else if (command === "") fail("bad-process", `${quote(name)} has no command: add one.`);
    else if (/\p{Surrogate}/u.test(command)) {
      fail("bad-character", "This text has half a character in it: remove it.");
    } else if (processes.has(name)) {
      fail("duplicate-process", `${quote(name)} stands here twice: rename one.`);
    } else {
      const column = at + text.length - command.length;
      processes.set(name, { name, command, where: source.place(column) });
    }
  }
  return [...processes.values()];
}
