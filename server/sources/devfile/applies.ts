import { known } from "../../protocol/fact.ts";
import type { Place } from "../../protocol/fact.ts";
import type { SourceApply, SourceManifest } from "../../protocol/source-model.ts";
import { quote } from "../yaml/source-text.ts";
import type { Command, Commands } from "./commands.ts";
import type { DevfileEvent } from "./events.ts";
import type { DevfileContext } from "./model.ts";

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
    /** After which applies each command is done. Applied twice is applied once, composites too. */
    const done = new Map<Command, readonly string[]>();
    const add = (command: Command, needs: readonly string[]): readonly string[] => {
      const before = done.get(command);
      if (before !== undefined) return before;
      const ended = expand(command, needs);
      done.set(command, ended);
      return ended;
    };
    const expand = (command: Command, needs: readonly string[]): readonly string[] => {
      const { id, apply, parts, parallel, kind } = command;
      if (kind !== "composite") {
        if (apply === null) return needs;
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

/** What a command applies is not there by itself, where nothing else is said of it. */
export function withoutApplied(
  manifests: readonly SourceManifest[],
  { byId }: Commands,
): SourceManifest[] {
  const appliedAt = new Map<string, Place>();
  for (const { apply } of byId.values()) {
    if (apply?.of.known === true) appliedAt.set(apply.of.value, apply.of.where);
  }
  return manifests.map((manifest) => {
    const { name, deployByDefault } = manifest;
    const where = appliedAt.get(name);
    return where === undefined || !deployByDefault.known || deployByDefault.value !== null
      ? manifest
      : { ...manifest, deployByDefault: known(false, where) };
  });
}

/** Names the `apply` commands that no event runs. */
export function listUnapplied(
  { byId }: Commands,
  applies: readonly SourceApply[],
  { leftOut }: DevfileContext,
): void {
  const applied = new Set(applies.map(({ name }) => name));
  for (const { id, kind } of byId.values()) {
    if (kind !== "apply" || applied.has(id.text)) continue;
    leftOut.push({
      what: `command ${quote(id.text)} (apply)`,
      why: "Components are applied by the events preStart and postStop only, and none names it.",
      where: id.at.where,
    });
  }
}
