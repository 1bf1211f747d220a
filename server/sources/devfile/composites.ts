import { didYouMean } from "../near-names.ts";
import { quote } from "../yaml/source-text.ts";
import type { Command, CommandKind, CommandRef, Commands } from "./commands.ts";
import type { DevfileContext } from "./model.ts";

/**
 * Finds what a composite command or an event names. Null, and reported, when there is no such
 * command; or left out, where it may be in a file that is not read.
 * `inside` says who names it, such as `event "postStart"`.
 */
export function findCommand(
  { id, at }: CommandRef,
  { commands, inside }: { commands: Commands; inside: string },
  { leftOut }: DevfileContext,
): Command | null {
  const found = commands.byId.get(id);
  if (found !== undefined) return found;
  // A bad id was reported where it stands.
  if (commands.written.has(id)) return null;
  if (commands.elsewhere === null) {
    const advice = didYouMean(id, commands.byId.keys()) || ": add one, or name another.";
    at.error("unknown-command", `No command has the id ${quote(id)}${advice}`);
  } else {
    leftOut.push({
      what: `command ${quote(id)} in ${inside}`,
      why: `It is not in this devfile; ${commands.elsewhere}`,
      where: at.where,
    });
  }
  return null;
}

/** People nest two or three; walks recurse as deep as this. */
const maxNesting = 100;

/** Reports composite commands that name what does not exist, or lead back to themselves. */
export function checkComposites(commands: Commands, context: DevfileContext): void {
  const done = new Set<Command>();
  /** In the order in which they lead to each other. */
  const path = new Set<Command>();
  const visit = (command: Command): void => {
    path.add(command);
    for (const part of command.parts) {
      const inside = `command ${quote(command.id.text)}`;
      const next = findCommand(part, { commands, inside }, context);
      if (next === null || done.has(next)) continue;
      if (path.has(next)) {
        part.at.error(
          "command-cycle",
          `This leads back to itself (${describeCycle(next, path)}): remove it.`,
        );
      } else if (path.size >= maxNesting) {
        const advice = `Commands in commands are nested more than ${maxNesting} deep: flatten them.`;
        part.at.error("too-deep", advice);
      } else {
        visit(next);
      }
    }
    path.delete(command);
    done.add(command);
  };
  for (const command of commands.byId.values()) if (!done.has(command)) visit(command);
}

function describeCycle(from: Command, path: ReadonlySet<Command>): string {
  const maxShown = 6;
  const all = [...path];
  const way = all.slice(all.indexOf(from)).map(({ id }) => id.text);
  const shown = way.length > maxShown ? [...way.slice(0, maxShown - 1), "…"] : way;
  return [...shown, from.id.text].join(" → ");
}

/** For each command with one of another kind than `wanted` in it, at any depth, that one. */
export function spoilers({ byId }: Commands, wanted: CommandKind): Map<Command, Command> {
  const wholes = new Map<Command, Command[]>();
  for (const command of byId.values()) {
    for (const { id } of command.parts) {
      const part = byId.get(id);
      if (part === undefined) continue;
      const of = wholes.get(part);
      if (of === undefined) wholes.set(part, [command]);
      else of.push(command);
    }
  }
  const found = new Map<Command, Command>();
  for (const command of byId.values()) {
    if (command.kind !== "composite" && command.kind !== wanted) found.set(command, command);
  }
  for (const [command, spoiler] of found) {
    for (const whole of wholes.get(command) ?? []) {
      if (!found.has(whole)) found.set(whole, spoiler);
    }
  }
  return found;
}
