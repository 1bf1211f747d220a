import { OneloopError } from "../protocol/errors.ts";
import { formatPlace } from "../protocol/fact.ts";
import type { PlannedCommand, WorkspacePlan } from "../protocol/plan.ts";
import type { CreateTerminal } from "../protocol/supervisor.ts";
import type { CommandView } from "../protocol/workspace.ts";

/** The commands that a plan offers, in the order of its source. */
export function commandsOf({ commands = [], because }: WorkspacePlan): CommandView[] {
  return commands.map(({ name, label, group, command, cwd, env }) => ({
    ...{ name, label, group, cwd, env },
    // The planner gives every one to a shell.
    line: command.at(-1) ?? "",
    where: (because.find(({ part }) => part === `command ${name}`)?.where ?? []).map(formatPlace),
  }));
}

/**
 * What a terminal of an offered command runs.
 *
 * @throws OneloopError `not-found`
 */
export function terminalOf(
  plan: WorkspacePlan,
  name: string,
): Pick<CreateTerminal, "command" | "cwd" | "env" | "title"> {
  const found = plan.commands?.find((one: PlannedCommand) => one.name === name);
  if (found === undefined) {
    throw new OneloopError("not-found", `The workspace offers no command ${name.slice(0, 100)}.`);
  }
  const { command, cwd, env } = found;
  return { command, cwd, env, title: name };
}
