import { known } from "../../protocol/fact.ts";
import type { SourceTask } from "../../protocol/source-model.ts";
import { didYouMean } from "../near-names.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import { readEnv } from "./env.ts";
import {
  applyKeys,
  before,
  checkKeys,
  commandKeys,
  commandKinds,
  compositeKeys,
  execKeys,
  groupKeys,
  groupKinds,
} from "./keys.ts";
import type { Components, DevfileContext, Named } from "./model.ts";
import { leaveOutKey, readChoice, readKind, readName } from "./values.ts";

export type CommandKind = keyof typeof commandKinds;

/** A command of the devfile, whatever it is. */
export interface Command {
  readonly id: Named;
  readonly kind: CommandKind;
  /** What an `exec` command runs; null where it has a mistake, and where it is left out. */
  readonly exec: ExecTask | null;
  /** What a `composite` command is made of. */
  readonly parts: readonly CommandRef[];
  readonly parallel: boolean;
}

export type ExecTask = Pick<SourceTask, "service" | "commandLine" | "workingDir" | "env">;

/** A name of a command, as `composite` and `events` have it. */
export interface CommandRef {
  /** In lower case: references are compared so (devfile/api, `ValidateCommands`). */
  readonly id: string;
  readonly at: Cursor;
}

export interface Commands {
  readonly byId: ReadonlyMap<string, Command>;
  /** Ids as they are written, in lower case, bad ones too: see `Components.written`. */
  readonly written: ReadonlySet<string>;
  /** See `Components.elsewhere`. */
  readonly elsewhere: string | null;
}

/** A person writes a few dozen; the walks through composite commands recurse as deep as this. */
const maxCommands = 500;

/** What commands may refer to. */
interface CommandContext extends DevfileContext {
  readonly components: Components;
  /** By the kind of their group. */
  readonly defaults: Map<string, Named>;
}

/** Reads the commands; those that Oneloop cannot run go to `leftOut`. */
export function readCommands(
  top: MapCursor,
  components: Components,
  context: DevfileContext,
): Commands {
  const byId = new Map<string, Command>();
  const written = new Set<string>();
  const within: CommandContext = { ...context, components, defaults: new Map() };
  for (const [at, item] of top.list("commands").entries()) {
    if (at === maxCommands) {
      item.error(
        "too-many-commands",
        `More than ${maxCommands} commands are too many: split them.`,
      );
      break;
    }
    const map = item.map();
    if (map === null) continue;
    checkKeys(map, commandKeys, context.version);
    written.add(map.get("id")?.plain?.toLowerCase() ?? "");
    const id = readName(map, { key: "id", example: "build" });
    const kind = readKind<CommandKind>(map, commandKinds, {
      one: "command",
      example: "`exec:` or `composite:` with its settings",
    });
    if (kind === null) continue;
    const command = readOne({ map, kind, id: id ?? { text: "", at: item } }, within);
    if (id === null) continue;
    if (byId.has(id.text)) {
      id.at.error(
        "duplicate-command",
        `Another command has the id ${quote(id.text)}: rename this.`,
      );
    } else {
      byId.set(id.text, command);
    }
  }
  return { byId, written, elsewhere: components.elsewhere };
}

interface Body {
  readonly map: MapCursor;
  readonly kind: CommandKind;
  readonly id: Named;
}

function readOne(command: Body, context: CommandContext): Command {
  const { map, kind, id } = command;
  leaveOutKey(map, { key: "attributes", of: `command ${quote(id.text)}` }, context);
  const plain = { id, kind, exec: null, parts: [], parallel: false };
  const self = map.body(kind);
  if (self === null) return plain;
  switch (kind) {
    case "exec":
      return { ...plain, exec: readExec(command, self, context) };
    case "composite":
      return { ...plain, ...readComposite(command, self, context) };
    case "apply":
      readApply(command, self, context);
      leaveOut(command, "Components are not applied by commands yet: they all start.", context);
      return plain;
    case "vscodeTask":
    case "vscodeLaunch":
      leaveOut(command, "It is for one editor.", context);
      return plain;
  }
}

function readExec(command: Body, self: MapCursor, context: CommandContext): ExecTask | null {
  const { version, variables } = context;
  checkKeys(self, execKeys, version);
  readGroup(command, self, context);
  self.get("hotReloadCapable")?.boolean();
  const env = readEnv(self, context);
  const component = readComponent(command, self, context);
  const line = self.required("commandLine", "npm ci");
  const lineText = line === null ? null : variables.text(line);
  if (line !== null && lineText?.trim() === "") {
    line.error("empty-command", "This command runs nothing: write a line for a shell.");
  }
  const folder = self.get("workingDir");
  const folderText = folder === null ? null : variables.text(folder);
  if (component === null || line === null || lineText === null) return null;
  return {
    service: component.at.fact(component.text),
    commandLine: line.fact(lineText),
    workingDir: known(folderText === "" ? null : folderText, (folder ?? self).where),
    env: Array.from(env, ([name, value]) => ({ name, value })),
  };
}

/** Where the command runs; null, and reported or left out, when there is no such container. */
function readComponent(command: Body, self: MapCursor, context: CommandContext): Named | null {
  const at = self.required("component", "tools");
  const text = at?.string() ?? null;
  if (at === null || text === null) return null;
  const { names, written, elsewhere } = context.components;
  const found = names.find((each) => each.text === text);
  if (found === undefined) {
    // A bad name was reported where it stands.
    if (written.has(text)) return null;
    if (elsewhere !== null) {
      // An `apply` command is left out anyway.
      const why = `Its component ${quote(text)} is not in this devfile; ${elsewhere}`;
      if (command.kind === "exec") leaveOut(command, why, context);
      return null;
    }
    const containers = names.filter(({ kind }) => kind === "container").map((each) => each.text);
    const advice = didYouMean(text, containers) || ": add one, or name another.";
    at.error("unknown-component", `No component is named ${quote(text)}${advice}`);
    return null;
  }
  if (command.kind === "exec" && found.kind !== "container" && found.kind !== null) {
    at.error(
      "not-a-container",
      `The component ${quote(text)} is of kind ${found.kind}: a command runs in a container.`,
    );
    return null;
  }
  return { text, at };
}

function readComposite(
  command: Body,
  self: MapCursor,
  context: CommandContext,
): Pick<Command, "parts" | "parallel"> {
  checkKeys(self, compositeKeys, context.version);
  readGroup(command, self, context);
  const parts = self.list("commands").flatMap((at) => {
    const id = at.string();
    return id === null ? [] : [{ id: id.toLowerCase(), at }];
  });
  return { parts, parallel: self.get("parallel")?.boolean() ?? false };
}

function readApply(command: Body, self: MapCursor, context: CommandContext): void {
  checkKeys(self, applyKeys, context.version);
  readGroup(command, self, context);
  readComponent(command, self, context);
}

/** Groups are for tools that build and deploy: they are checked, and change nothing here. */
function readGroup(command: Body, self: MapCursor, context: CommandContext): void {
  const { version, variables, defaults } = context;
  const label = self.get("label");
  if (label !== null) variables.text(label);
  const group = self.get("group")?.map() ?? null;
  if (group === null) return;
  checkKeys(group, groupKeys, version);
  const kindAt = group.required("kind", "build");
  const kinds = Object.entries(groupKinds).flatMap(([kind, { since }]) =>
    since !== undefined && before(version, since) ? [] : [kind],
  );
  const kind = kindAt === null ? null : readChoice(kindAt, kinds);
  const isDefault = group.get("isDefault");
  if (isDefault === null || isDefault.boolean() !== true || kind === null) return;
  const first = defaults.get(kind);
  if (first === undefined) {
    defaults.set(kind, command.id);
  } else {
    isDefault.error(
      "two-defaults",
      `Command ${quote(first.text)} is the default of group ${kind} already: keep one of them.`,
    );
  }
}

function leaveOut({ kind, id }: Body, why: string, { leftOut }: CommandContext): void {
  leftOut.push({ what: `command ${quote(id.text)} (${kind})`, why, where: id.at.where });
}
