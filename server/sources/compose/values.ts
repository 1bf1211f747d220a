import type { Kind } from "./section.ts";

/** In bytes. Compose counts in powers of 1024, whatever the letter: `300M` is 300 · 1024². */
export const bytes: Kind<number> = {
  wanted: "amount of memory such as 300M",
  parse: (text) => {
    const match = /^(\d{1,20}(?:\.\d{1,20})?) ?([kmgtp]?)i?b?$/i.exec(text);
    if (match === null) return null;
    const [, digits = "", unit = ""] = match;
    const powers = ["", "k", "m", "g", "t", "p"];
    const value = Math.floor(Number(digits) * 1024 ** powers.indexOf(unit.toLowerCase()));
    return value <= Number.MAX_SAFE_INTEGER ? value : null;
  },
};

export const cores: Kind<number> = {
  wanted: "number of cores such as 0.5",
  parse: (text) => (/^\d{1,9}(?:\.\d{1,20})?$|^\.\d{1,20}$/.test(text) ? Number(text) : null),
};

/** In seconds, from Go's `1m30s`, `1.5s`, `500ms`. */
export const duration: Kind<number> = {
  wanted: "duration such as 30s or 1m30s",
  parse: (text) => {
    if (text === "0") return 0;
    if (!/^(?:\d{1,15}(?:\.\d{1,15})?(?:ns|us|µs|ms|s|m|h|d|w))+$/.test(text)) return null;
    let seconds = 0;
    for (const [, digits = "", unit = ""] of text.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h|d|w)/g)) {
      seconds += Number(digits) * (secondsOf[unit] ?? 0);
    }
    // What is that close to a nanosecond is that nanosecond: 0.1 * 3 is not 0.3.
    return Number(seconds.toFixed(9));
  },
};

const secondsOf: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
};

/** Compose takes YAML 1.1's words too. */
export const truth: Kind<boolean> = {
  wanted: "true or false",
  parse: (text) => {
    if (/^(?:true|1|t|y|yes|on)$/i.test(text)) return true;
    return /^(?:false|0|f|n|no|off)$/i.test(text) ? false : null;
  },
};

export const count: Kind<number> = {
  wanted: "whole number from 0 up",
  parse: (text) => (/^\d{1,9}$/.test(text) ? Number(text) : null),
};

/** Permission bits: 0444 in a file is that octal number already; as text it may begin with 0. */
export const mode: Kind<number> = {
  wanted: "mode such as 0444",
  parse: (text) => {
    const match = /^(?:0o?([0-7]{1,5})|(\d{1,5}))$/.exec(text);
    if (match === null) return null;
    const value = match[1] === undefined ? Number(match[2]) : Number.parseInt(match[1], 8);
    return value <= 0o7777 ? value : null;
  },
};

export const anyText: Kind<string> = { wanted: "text", parse: (text) => text };

/** Text that says something. */
export const someText: Kind<string> = {
  wanted: "text: write some",
  parse: (text) => (text === "" ? null : text),
};

/** One of a closed list of words. */
export function word<Word extends string>(words: Readonly<Record<string, Word>>): Kind<Word> {
  return {
    wanted: `word of ${Object.keys(words).join(", ")}`,
    parse: (text) => (Object.hasOwn(words, text) ? (words[text] ?? null) : null),
  };
}

/**
 * A line as arguments, as a POSIX shell would split it, without anything being expanded. Null: a
 * quote is not closed.
 */
export function shellWords(line: string): string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  const token = /\s+|'([^']*)'|"((?:[^"\\]|\\[^])*)"|\\([^])|[^\s'"\\]+|[^]/g;
  for (const match of line.matchAll(token)) {
    const [whole, single, double, escaped] = match;
    if (/^\s/.test(whole)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (single !== undefined) word = (word ?? "") + single;
    // Between double quotes a backslash is one but before these.
    else if (double !== undefined) word = (word ?? "") + double.replaceAll(/\\(["\\$`])/g, "$1");
    else if (escaped !== undefined) word = (word ?? "") + (escaped === "\n" ? "" : escaped);
    else if (/^['"\\]$/.test(whole)) return null;
    else word = (word ?? "") + whole;
  }
  return word === null ? words : [...words, word];
}
