import { defaultImage } from "../fallback/default-image.ts";
import { slug, type Found, type NamedCommand } from "./detect.ts";
import type { FilePlace, Reason } from "./finding.ts";

/** A devfile, and for each of its lines the place that caused it. */
export interface DevfileText {
  readonly text: string;
  /** By line, beginning with the first. */
  readonly causes: readonly FilePlace[];
}

/** The name of the container that people work in. */
const component = "dev";

/** Stands for the place of what no file caused. */
export const nowhere: FilePlace = { file: "(no devfile)", line: 1, column: 1 };

/** The devfile that says what was found, each part below the reason for it. */
export function devfileText(found: Found, name: string): DevfileText {
  const lines = new Lines(found.projects[0]?.reason.at ?? nowhere);
  lines.comment(
    "Found by Oneloop: change what you like. https://devfile.io/docs says what there is.",
  );
  lines.add("schemaVersion: 2.2.2");
  lines.add("metadata:", `  name: ${quoted(slug(name))}`);
  lines.add("components:", `  - name: ${component}`, "    container:");
  for (const { reason } of found.projects) lines.because(6, reason);
  lines.add(`      image: ${defaultImage}`);
  list(lines, { key: "env", indent: 6, items: found.env }, ({ name, value, reason }) => {
    lines.because(8, reason);
    lines.add(`        - name: ${name}`, `          value: ${quoted(value)}`);
  });
  list(lines, { key: "endpoints", indent: 6, items: found.ports }, ({ name, port, reason }) => {
    lines.because(8, reason);
    lines.add(`        - name: ${name}`, `          targetPort: ${port}`);
  });
  commands(lines, found);
  return lines.text();
}

interface Started {
  readonly id: string;
  readonly reason: Reason;
}

function commands(lines: Lines, { packages, setUp, commands }: Found): void {
  const { first: before, beside } = setUp;
  if (packages.size + before.length + beside.length + commands.length === 0) return;
  lines.add("commands:");
  const started: Started[] = [];
  const [first] = [...packages.values()].flat();
  if (first !== undefined) {
    const line = `sudo apt-get update && sudo env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ${[...packages.keys()].join(" ")}`;
    for (const reason of uniqueReasons([...packages.values()].flat())) lines.because(2, reason);
    const installed = { id: "install-packages", folder: "", line, reason: first };
    command(lines, installed, { once: "container" });
    started.push(installed);
  }
  for (const each of before) {
    lines.because(2, each.reason);
    command(lines, each, { once: each.once });
    started.push(each);
  }
  started.push(...atOnce(lines, setUp));
  for (const { group, isDefault, ...each } of commands) {
    lines.because(2, each.reason);
    command(lines, each, { group, isDefault });
  }
  if (started.length === 0) return;
  lines.add("events:", "  postStart:");
  for (const { id, reason } of started) {
    lines.caused(reason);
    lines.add(`    - ${quoted(id)}`);
  }
}

/** What does not wait for each other: where one fails, the others go on. */
function atOnce(lines: Lines, { beside, all }: Found["setUp"]): Started[] {
  const parts = beside.flatMap(({ id, commands }): Started[] => {
    for (const each of commands) {
      lines.because(2, each.reason);
      command(lines, each, { once: each.once });
    }
    const [only, second] = commands;
    if (only === undefined || second === undefined) return [...commands];
    composite(lines, id, { commands, parallel: false });
    return [{ id, reason: only.reason }];
  });
  const [first] = parts;
  if (first === undefined) return [];
  composite(lines, all, { commands: parts, parallel: true });
  return [{ id: all, reason: first.reason }];
}

function composite(
  lines: Lines,
  id: string,
  { commands, parallel }: { readonly commands: readonly Started[]; readonly parallel: boolean },
): void {
  for (const { reason } of commands.slice(0, 1)) lines.caused(reason);
  lines.add(`  - id: ${quoted(id)}`, "    composite:", "      commands:");
  for (const { id: part, reason } of commands) {
    lines.caused(reason);
    lines.add(`        - ${quoted(part)}`);
  }
  if (parallel) lines.add("      parallel: true");
}

function command(
  lines: Lines,
  { id, folder, line, env = {} }: Omit<NamedCommand, "reason">,
  more: { readonly once?: string; readonly group?: string; readonly isDefault?: boolean },
): void {
  lines.add(`  - id: ${quoted(id)}`);
  if (more.once !== undefined) {
    lines.add("    attributes:", `      oneloop/once: ${more.once}`);
  }
  lines.add("    exec:", `      component: ${component}`, `      commandLine: ${quoted(line)}`);
  const below = folder === "" ? "" : `/${folder}`;
  lines.add(`      workingDir: ${quoted(`\${PROJECT_SOURCE}${below}`)}`);
  list(lines, { key: "env", indent: 6, items: Object.entries(env) }, ([name, value]) =>
    lines.add(`        - name: ${name}`, `          value: ${quoted(value)}`),
  );
  if (more.group === undefined) return;
  lines.add("      group:", `        kind: ${more.group}`);
  if (more.isDefault === true) lines.add("        isDefault: true");
}

function list<Item>(
  lines: Lines,
  { key, indent, items }: { key: string; indent: number; items: readonly Item[] },
  write: (item: Item) => void,
): void {
  if (items.length > 0) lines.add(`${" ".repeat(indent)}${key}:`);
  for (const item of items) write(item);
}

function uniqueReasons(reasons: readonly Reason[]): Reason[] {
  return [...new Map(reasons.map((reason) => [commentOf(reason), reason])).values()];
}

/** Words that YAML takes for something else than text (its 1.1 and 1.2). */
const notText = /^(?:true|false|null|yes|no|on|off|y|n)$/i;

/** As YAML has it: what JSON writes is YAML (1.2, section 1.3). */
function quoted(text: string): string {
  const plain = /^[A-Za-z](?:[\w./ -]*[\w./-])?$/.test(text) && !notText.test(text);
  return plain ? text : JSON.stringify(text);
}

function commentOf({ at, why }: Reason): string {
  return `${at.file}:${at.line}: ${why}`.replaceAll(/[\p{C}\u2028\u2029]+/gu, " ");
}

class Lines {
  readonly #lines: string[] = [];
  readonly #causes: FilePlace[] = [];
  #cause: FilePlace;

  constructor(cause: FilePlace) {
    this.#cause = cause;
  }

  /** Lines for the cause that was said last. */
  add(...lines: readonly string[]): void {
    for (const line of lines) {
      this.#lines.push(line);
      this.#causes.push(this.#cause);
    }
  }

  comment(text: string): void {
    this.add(`# ${text}`);
  }

  /** Says why the next lines are there. */
  because(indent: number, reason: Reason): void {
    this.caused(reason);
    this.add(`${" ".repeat(indent)}# ${commentOf(reason)}`);
  }

  /** As `because`, where it was said above. */
  caused({ at }: Reason): void {
    this.#cause = at;
  }

  text(): DevfileText {
    return { text: `${this.#lines.join("\n")}\n`, causes: this.#causes };
  }
}
