import { SourceText } from "../yaml/source-text.ts";
import type { FilePlace } from "./finding.ts";

/** The files of a repository as far as detection looks, and the texts of those that it asked for. */
export interface Listing {
  /** Files in the root and in the folders directly below it, with `/` between. */
  readonly paths: readonly string[];
  readonly texts: ReadonlyMap<string, string>;
}

/** A file with its text. */
export class RepositoryFile {
  readonly path: string;
  readonly text: string;
  readonly #source: SourceText;

  constructor(path: string, text: string) {
    this.path = path;
    this.text = text;
    this.#source = new SourceText(text, path);
  }

  /** Of an offset in UTF-16 code units; the beginning without one. */
  place(offset = 0): FilePlace {
    return this.#source.place(offset);
  }

  /** The first match, with its place; null for none. */
  find(pattern: RegExp): { readonly match: RegExpExecArray; readonly at: FilePlace } | null {
    const match = pattern.exec(this.text);
    return match === null ? null : { match, at: this.place(match.index) };
  }

  /** Each line without blanks around it, with the place where it begins. */
  *lines(): Generator<{ readonly text: string; readonly at: FilePlace }> {
    let offset = 0;
    for (const line of this.text.split("\n")) {
      const text = line.trim();
      yield { text, at: this.place(offset + (line.length - line.trimStart().length)) };
      offset += line.length + 1;
    }
  }
}

/** One folder of the repository, as a detector sees it. */
export class Project {
  /** Empty for the root. */
  readonly folder: string;
  readonly #paths: ReadonlySet<string>;
  readonly #texts: ReadonlyMap<string, string>;

  constructor(
    folder: string,
    { paths, texts }: { paths: ReadonlySet<string>; texts: Listing["texts"] },
  ) {
    this.folder = folder;
    this.#paths = paths;
    this.#texts = texts;
  }

  /** This folder, and then the root: where version managers look for their files. */
  *upward(): Generator<Project> {
    yield this;
    if (this.folder !== "") yield new Project("", { paths: this.#paths, texts: this.#texts });
  }

  has(name: string): boolean {
    return this.#paths.has(this.#path(name));
  }

  /** Null where there is none, and where its text was not read. */
  file(name: string): RepositoryFile | null {
    const path = this.#path(name);
    const text = this.#texts.get(path);
    return text === undefined ? null : new RepositoryFile(path, text);
  }

  /** The first of `names` that is there, with its text if that was read. */
  first(names: readonly string[]): RepositoryFile | null {
    const name = names.find((each) => this.has(each));
    return name === undefined
      ? null
      : (this.file(name) ?? new RepositoryFile(this.#path(name), ""));
  }

  #path(name: string): string {
    return this.folder === "" ? name : `${this.folder}/${name}`;
  }
}
