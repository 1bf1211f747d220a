import type { SourceTask } from "../../protocol/source-model.ts";
import type { MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import type { Command, CommandKind, CommandRef, Commands } from "./commands.ts";
import { findCommand, spoilers } from "./composites.ts";
import { eventNames } from "./keys.ts";
import type { DevfileContext } from "./model.ts";

export type EventName = (typeof eventNames)[number];

/** An event, and the commands it names, in the order in which they run. */
export interface DevfileEvent {
  readonly name: EventName;
  readonly commands: readonly { readonly ref: CommandRef; readonly command: Command }[];
}

/** devfile/api, `ValidateEvents`: which kind of command an event runs, alone or in composites. */
const kindOf: Readonly<Record<EventName, CommandKind>> = {
  preStart: "apply",
  postStart: "exec",
  preStop: "exec",
  postStop: "apply",
};

/** Reads `events`, and holds them to the commands that each may run. */
export function readEvents(
  top: MapCursor,
  commands: Commands,
  context: DevfileContext,
): DevfileEvent[] {
  const map = top.get("events")?.map() ?? null;
  if (map === null) return [];
  return eventNames.map((name) => {
    const inside = `event ${quote(name)}`;
    const found = map.list(name).flatMap((at) => {
      const text = at.string();
      if (text === null) return [];
      const ref = { id: text.toLowerCase(), at };
      const command = findCommand(ref, { commands, inside }, context);
      return command === null ? [] : [{ ref, command }];
    });
    const wrong = spoilers(commands, kindOf[name]);
    for (const { ref, command } of found) {
      checkKind(name, { ref, command, wrong: wrong.get(command) ?? null });
    }
    return { name, commands: found };
  });
}

function checkKind(
  event: EventName,
  { ref, command, wrong }: { ref: CommandRef; command: Command; wrong: Command | null },
): void {
  if (wrong === null) return;
  const wanted = kindOf[event];
  const which = wrong === command ? "this is" : `${quote(wrong.id.text)} in it is`;
  const others = wanted === "apply" ? "postStart or preStop" : "preStart or postStop";
  const advice = wrong.kind === "exec" || wrong.kind === "apply" ? `use ${others}` : "remove it";
  ref.at.error(
    "wrong-event",
    `${event} runs ${wanted} commands only, and ${which} of kind ${wrong.kind}: ${advice}.`,
  );
}

/** A person writes a few; composite commands in each other could ask for millions. */
const maxSteps = 500;

/**
 * What the events run, as single tasks: a composite command becomes its parts, each of which waits
 * for the one before, or, where `parallel` says so, for what came before the composite.
 *
 * Only for a devfile without mistakes: a cycle would have no end.
 */
export function expandEvents(events: readonly DevfileEvent[], commands: Commands): SourceTask[] {
  const expansion = new Expansion(commands);
  for (const { name, commands: listed } of events) {
    if (kindOf[name] === "apply") continue;
    let needs: readonly string[] = [];
    for (const { ref, command } of listed)
      needs = expansion.add(command, { event: name, needs, ref });
  }
  return expansion.tasks;
}

interface Use {
  readonly event: EventName;
  readonly needs: readonly string[];
  readonly ref: CommandRef;
}

class Expansion {
  readonly tasks: SourceTask[] = [];
  readonly #commands: Commands;
  /** Names that tasks have. */
  readonly #names = new Set<string>();
  #steps = 0;

  constructor(commands: Commands) {
    this.#commands = commands;
  }

  /** Adds what a command runs; gives the names of the tasks after which it is done. */
  add(command: Command, use: Use): readonly string[] {
    this.#steps += 1;
    if (this.#steps === maxSteps) {
      use.ref.at.error(
        "too-many-tasks",
        `With this, the events run more than ${maxSteps} commands: name fewer.`,
      );
    }
    if (this.#steps >= maxSteps) return use.needs;
    if (command.kind === "composite") return this.#addParts(command, use);
    if (command.exec === null) return use.needs;
    const name = this.#nameOf(command);
    this.tasks.push({
      name,
      ...command.exec,
      ...(command.once === null ? {} : { once: command.once }),
      event: use.event,
      needs: [...use.needs],
      where: command.id.at.where,
    });
    return [name];
  }

  #addParts({ parts, parallel }: Command, use: Use): readonly string[] {
    const ends = new Set<string>();
    let needs = use.needs;
    for (const { id } of parts) {
      const part = this.#commands.byId.get(id);
      if (part === undefined) continue;
      const done = this.add(part, { ...use, needs });
      if (parallel) for (const end of done) ends.add(end);
      else needs = done;
    }
    return ends.size === 0 ? needs : [...ends];
  }

  /** The id; with a number where the same command runs more than once. */
  #nameOf({ id: { text } }: Command): string {
    let name = text;
    for (let count = 2; this.#names.has(name); count += 1) {
      const numbered = `${text}-${count}`;
      if (!this.#commands.byId.has(numbered)) name = numbered;
    }
    this.#names.add(name);
    return name;
  }
}
