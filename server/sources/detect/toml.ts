import type { FilePlace } from "./finding.ts";
import type { RepositoryFile } from "./tree.ts";

export interface TomlEntry {
  /** As it is written behind the `=`, without a comment. */
  readonly text: string;
  readonly at: FilePlace;
}

/**
 * A key of a TOML table, as people write them: a table's head and a key on lines of their own. Enough
 * for versions and names; it is no reader of TOML.
 */
export function tomlEntry(file: RepositoryFile, table: string, key: string): TomlEntry | null {
  let within = "";
  for (const { text, at } of file.lines()) {
    const [, head] = /^\[\[?\s*([^\]]+?)\s*\]\]?/.exec(text) ?? [];
    if (head !== undefined) {
      within = head;
      continue;
    }
    const [, name, value] = /^"?([\w.-]+)"?\s*=\s*(.+)$/.exec(text) ?? [];
    if (within === table && name === key && value !== undefined) {
      return { text: value.replace(/\s+#.*$/, ""), at };
    }
  }
  return null;
}

/** The head of a table, such as `tool.poetry`. */
export function tomlTable(file: RepositoryFile, table: string): FilePlace | null {
  for (const { text, at } of file.lines()) {
    const [, head] = /^\[\[?\s*([^\]]+?)\s*\]\]?/.exec(text) ?? [];
    if (head === table) return at;
  }
  return null;
}

/** Without its quotes. */
export function tomlText({ text }: TomlEntry): string {
  return text.replace(/^(["'])(.*)\1$/, "$2");
}
