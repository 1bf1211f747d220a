import type { Environment } from "./part.ts";

/** Linux takes no longer environment variable or argument (MAX_ARG_STRLEN). In UTF-16 code units. */
export const maxValueChars = 128 * 1024;

/** Defaults in defaults: nobody writes three. */
const maxDepth = 16;

/** What is wrong with a text, from `at` on. */
export interface Mistake {
  readonly at: number;
  readonly code: string;
  readonly message: string;
}

export interface Interpolated {
  readonly text: string;
  /** Variables that would be in the text and that nobody has set: nothing stands for them. */
  readonly unset: readonly string[];
  /** The variable that the text is as a whole. */
  readonly variable: string | null;
  /** Variables that must be set (`${V:?why}`) and are not, with the file's own words. */
  readonly required: readonly { readonly name: string; readonly words: string }[];
}

/**
 * Replaces the variables of a text as Compose does: `$V`, `${V}`, `${V:-default}`, `${V-default}`,
 * `${V:?words}`, `${V?words}`, `${V:+other}`, `${V+other}`, and `$$` for a dollar sign; the texts in
 * the braces may have variables too (compose-spec, "Interpolation").
 */
export function interpolate(text: string, env: Environment): Interpolated | Mistake {
  if (!text.includes("$")) return { text, unset: [], variable: null, required: [] };
  try {
    const run = new Run(text, env);
    const { out, unset } = run.until(false, 0);
    return { text: out, unset, variable: wholeVariable(text), required: run.required };
  } catch (thrown) {
    if (thrown instanceof Wrong) return thrown.mistake;
    throw thrown;
  }
}

function wholeVariable(text: string): string | null {
  const match = /^\$(?:([a-z_]\w*)|\{([a-z_]\w*)(?:\}|:?\?[^{}]*\}))$/i.exec(text);
  return match?.[1] ?? match?.[2] ?? null;
}

class Wrong extends Error {
  readonly mistake: Mistake;
  constructor(mistake: Mistake) {
    super(mistake.message);
    this.mistake = mistake;
  }
}

interface Piece {
  readonly out: string;
  readonly unset: readonly string[];
}

/** One walk over a text; it recurses into braces. */
class Run {
  readonly required: { name: string; words: string }[] = [];
  readonly #text: string;
  readonly #env: Environment;
  #at = 0;

  constructor(text: string, env: Environment) {
    this.#text = text;
    this.#env = env;
  }

  /** Up to the end, or up to the brace that closes. */
  until(inBraces: boolean, depth: number): Piece {
    const stop = inBraces ? /[$}]/g : /\$/g;
    const unset: string[] = [];
    let out = "";
    const add = (piece: Piece): void => {
      out += piece.out;
      unset.push(...piece.unset);
      if (out.length > maxValueChars) {
        this.#fail(this.#at, "too-long", "With its variables, this is too long for a program.");
      }
    };
    for (;;) {
      stop.lastIndex = this.#at;
      const found = stop.exec(this.#text)?.index ?? this.#text.length;
      add({ out: this.#text.slice(this.#at, found), unset: [] });
      this.#at = found;
      if (found === this.#text.length || this.#text[found] === "}") return { out, unset };
      add(this.#dollar(depth));
    }
  }

  #dollar(depth: number): Piece {
    const start = this.#at;
    const next = this.#text[start + 1];
    if (next === "$") {
      this.#at += 2;
      return { out: "$", unset: [] };
    }
    this.#at += 1;
    if (next === "{") {
      this.#at += 1;
      return this.#braced(start, depth + 1);
    }
    const name = this.#name();
    // As in `$(date)` and `$1`: Compose leaves them.
    return name === null ? { out: "$", unset: [] } : this.#value(name);
  }

  #braced(start: number, depth: number): Piece {
    if (depth > maxDepth) {
      this.#fail(start, "too-deep", `Variables nest more than ${maxDepth} levels: flatten this.`);
    }
    const name = this.#name();
    const operator = /:?[-?+]/y;
    operator.lastIndex = this.#at;
    const sign = operator.exec(this.#text)?.[0] ?? "";
    this.#at += sign.length;
    const mandatory = this.required.length;
    const rest = sign === "" ? { out: "", unset: [] } : this.until(true, depth);
    if (name === null || this.#text[this.#at] !== "}") {
      this.#fail(start, "bad-variable", "This is no variable: write `${NAME}`, or `$$` for a `$`.");
    }
    this.#at += 1;
    const value = this.#env.get(name);
    const isThere = value !== undefined && (value !== "" || !sign.startsWith(":"));
    const kind = sign.at(-1);
    const usesRest = kind === "+" ? isThere : kind === "-" && !isThere;
    // What is not used asks for nothing.
    if (!usesRest) this.required.splice(mandatory);
    if (usesRest) return rest;
    if (kind === "+") return { out: "", unset: [] };
    if (kind === "?" && !isThere) {
      this.required.push({ name, words: rest.out });
      return { out: "", unset: [name] };
    }
    return this.#value(name);
  }

  #value(name: string): Piece {
    const value = this.#env.get(name);
    return { out: value ?? "", unset: value === undefined ? [name] : [] };
  }

  #name(): string | null {
    const pattern = /[a-z_]\w*/iy;
    pattern.lastIndex = this.#at;
    const name = pattern.exec(this.#text)?.[0] ?? null;
    this.#at += name?.length ?? 0;
    return name;
  }

  #fail(at: number, code: string, message: string): never {
    throw new Wrong({ at, code, message });
  }
}
