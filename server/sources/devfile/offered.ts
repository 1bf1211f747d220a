import type { SourceCommand, SourceTask } from "../../protocol/source-model.ts";
import type { MapCursor } from "../yaml/cursor.ts";
import type { Commands } from "./commands.ts";
import type { DevfileContext } from "./model.ts";
import { leaveOutKey, readChoice } from "./values.ts";

/** Oneloop's own attribute of a command: see `SourceTask.once`. */
export const onceAttribute = "oneloop/once";
const onceValues = ["workspace", "container"] as const;

type Once = NonNullable<SourceTask["once"]>;

/** The attributes of a command: Oneloop's own is read, any other is named as left out. */
export function readOnce(map: MapCursor, of: string, context: DevfileContext): Once | null {
  const attributes = map.get("attributes")?.map() ?? null;
  const own = attributes?.get(onceAttribute) ?? null;
  if (attributes === null || own === null || attributes.entries.length > 1) {
    leaveOutKey(map, { key: "attributes", of }, context);
  }
  return own === null ? null : readChoice(own, onceValues);
}

/** What a command says of itself to who looks for one. */
export type CommandUse = Pick<SourceCommand, "label" | "group">;

export const noUse: CommandUse = { label: null, group: null };

export function readLabel(self: MapCursor): string | null {
  return self.get("label")?.string() ?? null;
}

/** The commands that somebody can ask for, in the order of the file: all that run something. */
export function offeredCommands({ byId }: Commands): SourceCommand[] {
  return [...byId.values()].flatMap((command): SourceCommand[] => {
    const { id, kind, use, exec, parts, parallel } = command;
    if (exec === null && kind !== "composite") return [];
    const runs = exec ?? {
      commands: parts.flatMap((part) => byId.get(part.id)?.id.text ?? []),
      parallel,
    };
    const { label, group } = use;
    return [{ name: id.text, label, group, runs, where: id.at.where }];
  });
}
