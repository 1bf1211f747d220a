import type { SourceApply } from "../../protocol/source-model.ts";
import type { Command, Commands } from "./commands.ts";
import type { DevfileEvent } from "./events.ts";

/**
 * What the events preStart and postStop apply, in their order: a composite command is its parts, each
 * of which waits for the one before, or, where `parallel` says so, for what came before the composite.
 *
 * Only for a devfile without mistakes: a cycle would have no end.
 */
export function expandApplies(events: readonly DevfileEvent[], { byId }: Commands): SourceApply[] {
  const applies: SourceApply[] = [];
  for (const { name: event, commands } of events) {
    if (event !== "preStart" && event !== "postStop") continue;
    const done = new Set<string>();
    const add = (command: Command, needs: readonly string[]): readonly string[] => {
      const { id, apply, parts, parallel, kind } = command;
      if (kind !== "composite") {
        // Applied twice is applied once.
        if (apply === null || done.has(id.text)) return apply === null ? needs : [id.text];
        done.add(id.text);
        applies.push({ name: id.text, ...apply, event, needs: [...needs], where: id.at.where });
        return [id.text];
      }
      const ends = new Set<string>();
      let before = needs;
      for (const part of parts) {
        const inner = byId.get(part.id);
        if (inner === undefined) continue;
        const ended = add(inner, before);
        if (parallel) for (const end of ended) ends.add(end);
        else before = ended;
      }
      return ends.size === 0 ? before : [...ends];
    };
    let needs: readonly string[] = [];
    for (const { command } of commands) needs = add(command, needs);
  }
  return applies;
}
