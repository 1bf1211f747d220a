import { known } from "../../protocol/fact.ts";
import { CommandGroup, type SourceApply, type SourceTask } from "../../protocol/source-model.ts";
import { didYouMean } from "../near-names.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import { readEnv } from "./env.ts";
import { commandKinds } from "./keys.ts";
import type { ComponentKind, Components, DevfileContext, Named } from "./model.ts";
import { noUse, readLabel, readOnce, type CommandUse } from "./offered.ts";
import { readKind, readName } from "./values.ts";

export type CommandKind = (typeof commandKinds)[number];

/** A command of the devfile, whatever it is. */
export interface Command {
  readonly id: Named;
  readonly kind: CommandKind;
  readonly use: CommandUse;
  readonly once: NonNullable<SourceTask["once"]> | null;
  /** What an `exec` command runs; null where it has a mistake, and where it is left out. */
  readonly exec: ExecTask | null;
  /** What an `apply` command applies; null as above. */
  readonly apply: Pick<SourceApply, "of" | "kind"> | null;
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

/** A person writes a few dozen, and a program that writes devfiles perhaps thousands. */
const maxCommands = 5000;

const groupKinds = CommandGroup.shape.kind.options;

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
    written.add(map.get("id")?.plain?.toLowerCase() ?? "");
    const id = readName(map, "id");
    const kind = readKind(map, commandKinds);
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
  checkDefaults(byId, within.defaults);
  return { byId, written, elsewhere: components.elsewhere };
}

/** Of several commands of a group one should be the default; a warning, as devfile/api has it. */
function checkDefaults(
  byId: ReadonlyMap<string, Command>,
  defaults: ReadonlyMap<string, Named>,
): void {
  for (const kind of groupKinds) {
    if (defaults.has(kind)) continue;
    const [first, second] = [...byId.values()].filter(({ use }) => use.group?.kind === kind);
    if (first === undefined || second === undefined) continue;
    const advice = "set `isDefault: true` in one of them";
    first.id.at.warning(
      "no-default",
      `This is one of several commands of group ${kind}, and none is the default: ${advice}.`,
    );
  }
}

interface Body {
  readonly map: MapCursor;
  readonly kind: CommandKind;
  readonly id: Named;
}

function readOne(command: Body, context: CommandContext): Command {
  const { map, kind, id } = command;
  const once = readOnce(map, `command ${quote(id.text)}`, context);
  const self = map.body(kind);
  const use = self === null ? noUse : readUse(command, self, context);
  const plain = { id, kind, once, use, exec: null, apply: null, parts: [], parallel: false };
  if (self === null) return plain;
  switch (kind) {
    case "exec":
      return Object.assign(plain, { exec: readExec(command, self, context) });
    case "composite":
      return Object.assign(plain, readComposite(self));
    case "apply":
      return Object.assign(plain, { apply: readApply(command, self, context) });
    case "vscodeTask":
    case "vscodeLaunch":
      leaveOut(command, "It is for one editor.", context);
      return plain;
  }
}

function readExec(command: Body, self: MapCursor, context: CommandContext): ExecTask | null {
  const env = readEnv(self);
  const component = readComponent(command, self, context);
  const line = self.get("commandLine");
  const lineText = line?.string() ?? null;
  if (line !== null && lineText?.trim() === "") {
    line.error("empty-command", "This command runs nothing: write a line for a shell.");
  }
  const reloads = self.get("hotReloadCapable");
  if (reloads?.boolean() === false) {
    const why = "No command is started again when files change: who wants that starts it again.";
    const what = `hotReloadCapable of command ${quote(command.id.text)}`;
    context.leftOut.push({ what, why, where: reloads.where });
  }
  const folder = self.get("workingDir");
  const folderText = folder?.string() ?? null;
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
  const at = self.get("component");
  const text = at?.string() ?? null;
  if (at === null || text === null) return null;
  const { names, kinds, written, elsewhere } = context.components;
  const kind = kinds.get(text);
  if (kind === undefined) {
    // A bad name was reported where it stands.
    if (written.has(text)) return null;
    if (elsewhere !== null) {
      // An `apply` command is left out anyway.
      const why = `Its component ${quote(text)} is not in this devfile; ${elsewhere}`;
      if (command.kind === "exec") leaveOut(command, why, context);
      return null;
    }
    const containers = names.filter((each) => each.kind === "container").map((each) => each.text);
    const advice = didYouMean(text, containers) || ": add one, or name another.";
    at.error("unknown-component", `No component is named ${quote(text)}${advice}`);
    return null;
  }
  if (kind === null) return null;
  if (command.kind === "exec" && kind !== "container") {
    at.error(
      "not-a-container",
      `The component ${quote(text)} is of kind ${kind}: a command runs in a container.`,
    );
    return null;
  }
  if (appliedKinds[kind] === undefined) {
    at.error(
      "not-applicable",
      `The component ${quote(text)} is of kind ${kind}: containers, images and Kubernetes objects can be applied.`,
    );
    return null;
  }
  return { text, at };
}

function readComposite(self: MapCursor): Pick<Command, "parts" | "parallel"> {
  const parts = self.list("commands").flatMap((at) => {
    const id = at.string();
    return id === null ? [] : [{ id: id.toLowerCase(), at }];
  });
  return { parts, parallel: self.get("parallel")?.boolean() ?? false };
}

function readApply(command: Body, self: MapCursor, context: CommandContext): Command["apply"] {
  const component = readComponent(command, self, context);
  if (component === null) return null;
  const kind = context.components.kinds.get(component.text);
  const applied = kind === undefined || kind === null ? undefined : appliedKinds[kind];
  return applied === undefined ? null : { of: component.at.fact(component.text), kind: applied };
}

/** What each kind of component is in the model; others cannot be applied. */
const appliedKinds: Readonly<Partial<Record<ComponentKind, SourceApply["kind"]>>> = {
  container: "service",
  image: "image",
  kubernetes: "manifest",
  openshift: "manifest",
};

/** What the command is for: groups start nothing, they are how a command is found. */
function readUse(command: Body, self: MapCursor, context: CommandContext): CommandUse {
  const { defaults } = context;
  if (command.kind === "vscodeTask" || command.kind === "vscodeLaunch") return noUse;
  const label = readLabel(self);
  const group = self.get("group")?.map() ?? null;
  if (group === null) return { label, group: null };
  const kindAt = group.get("kind");
  const kind = groupKinds.find((each) => each === kindAt?.plain) ?? null;
  const isDefault = group.get("isDefault");
  if (kind === null) return { label, group: null };
  const use = { label, group: { kind, isDefault: isDefault?.boolean() ?? false } };
  if (isDefault === null || !use.group.isDefault) return use;
  const first = defaults.get(kind);
  if (first === undefined) {
    defaults.set(kind, command.id);
  } else {
    isDefault.error(
      "two-defaults",
      `Command ${quote(first.text)} is the default of group ${kind} already: keep one of them.`,
    );
  }
  return use;
}

function leaveOut({ kind, id }: Body, why: string, { leftOut }: CommandContext): void {
  leftOut.push({ what: `command ${quote(id.text)} (${kind})`, why, where: id.at.where });
}
