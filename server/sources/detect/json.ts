import type { RepositoryFile } from "./tree.ts";
import type { FilePlace } from "./finding.ts";

/** Deeper is no configuration; the reader recurses as deep as this. */
const maxDepth = 50;

/** A value of a JSON file with its place. */
export interface JsonValue {
  readonly value: string | number | boolean | null | JsonObject | readonly JsonValue[];
  readonly at: FilePlace;
}

export interface JsonObject {
  readonly members: ReadonlyMap<string, JsonMember>;
}

/** A key, and what stands behind it. */
export interface JsonMember {
  readonly key: FilePlace;
  readonly value: JsonValue;
}

/** The member of an object at a path of keys; null where something else is there, or nothing. */
export function memberAt(root: JsonValue | null, ...path: readonly string[]): JsonMember | null {
  let found: JsonMember | null = null;
  let within = root;
  for (const name of path) {
    found = membersOf(within).get(name) ?? null;
    within = found?.value ?? null;
  }
  return found;
}

export function membersOf(value: JsonValue | null): ReadonlyMap<string, JsonMember> {
  const object = value?.value;
  return typeof object === "object" && object !== null && "members" in object
    ? object.members
    : new Map();
}

/** The text of a member; null where it is none. */
export function textOf(member: JsonMember | null): string | null {
  return typeof member?.value.value === "string" ? member.value.value : null;
}

/** Reads JSON, with comments and commas at the end (JSONC) too. Null where it is none. */
export function parseJson(file: RepositoryFile): JsonValue | null {
  try {
    return new Reader(file).document();
  } catch (error) {
    if (error instanceof NoJson) return null;
    throw error;
  }
}

class NoJson extends Error {}

class Reader {
  readonly #file: RepositoryFile;
  readonly #text: string;
  #at = 0;

  constructor(file: RepositoryFile) {
    this.#file = file;
    this.#text = file.text;
    if (this.#text.startsWith("\uFEFF")) this.#at = 1;
  }

  document(): JsonValue {
    const value = this.#value(0);
    this.#blank();
    if (this.#at < this.#text.length) throw new NoJson();
    return value;
  }

  #value(depth: number): JsonValue {
    if (depth > maxDepth) throw new NoJson();
    this.#blank();
    const at = this.#file.place(this.#at);
    const sign = this.#text[this.#at];
    if (sign === "{") return { value: this.#object(depth), at };
    if (sign === "[") return { value: this.#list(depth), at };
    if (sign === '"') return { value: this.#string(), at };
    const word = this.#match(/true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
    return { value: JSON.parse(word) as string | number | boolean | null, at };
  }

  #object(depth: number): JsonObject {
    const members = new Map<string, JsonMember>();
    this.#items("}", () => {
      const key = this.#file.place(this.#at);
      const name = this.#string();
      this.#blank();
      this.#match(/:/y);
      members.set(name, { key, value: this.#value(depth + 1) });
    });
    return { members };
  }

  #list(depth: number): JsonValue[] {
    const list: JsonValue[] = [];
    this.#items("]", () => list.push(this.#value(depth + 1)));
    return list;
  }

  #items(end: string, item: () => void): void {
    this.#at += 1;
    this.#blank();
    while (this.#text[this.#at] !== end) {
      item();
      this.#blank();
      if (this.#text[this.#at] === ",") this.#at += 1;
      else if (this.#text[this.#at] !== end) throw new NoJson();
      this.#blank();
    }
    this.#at += 1;
  }

  #string(): string {
    const written = this.#match(/"(?:[^"\\\n]|\\.)*"/y);
    try {
      return JSON.parse(written) as string;
    } catch {
      throw new NoJson();
    }
  }

  #blank(): void {
    this.#match(/(?:\s|\/\/[^\n]*|\/\*[^]*?\*\/)*/y);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [found] = pattern.exec(this.#text) ?? [];
    if (found === undefined) throw new NoJson();
    this.#at += found.length;
    return found;
  }
}
