import type { PlannedCommand } from "../protocol/plan.ts";
import type { PlannedService } from "../protocol/service.ts";
import { formatPlace } from "../protocol/fact.ts";
import type { LeftOut, SourceCommand, SourceModel } from "../protocol/source-model.ts";
import { Facts } from "./facts.ts";
import { planLine } from "./lines.ts";

/** Far above what a person writes; composite commands in each other could ask for millions. */
const maxParts = 500;

/**
 * The commands that are offered: what only the dev service's shell can run. Those of other services,
 * and composite ones with such a part, are listed as left out.
 */
export function planCommands(
  model: SourceModel,
  { dev, facts: all }: { dev: PlannedService; facts: Facts },
): { commands: PlannedCommand[]; sources: ReadonlyMap<SourceCommand, string> } {
  const listed = model.commands ?? [];
  const byName = new Map(listed.map((command) => [command.name, command]));
  const facts = new Facts([]);
  const parts = new Map<SourceCommand, Script | null>();
  const sources = new Map<SourceCommand, string>();

  const scriptOf = (command: SourceCommand): Script | null => {
    const known = parts.get(command);
    if (known !== undefined) return known;
    // A name that leads back to itself is none: every reader refuses it.
    parts.set(command, null);
    const script = makeScript(command);
    parts.set(command, script);
    return script;
  };

  const makeScript = (command: SourceCommand): Script | null => {
    const { runs, name, where } = command;
    const what = `command ${name}`;
    if (!("commands" in runs)) {
      const line = planLine(runs, { what, where, dev, facts });
      return line === null ? null : { parts: 1, ...line };
    }
    const scripts = runs.commands.map((part) => {
      const found = byName.get(part);
      return found === undefined ? null : scriptOf(found);
    });
    const whole = scripts.filter((script) => script !== null);
    const count = whole.reduce((sum, script) => sum + script.parts, 0);
    const why =
      whole.length < scripts.length
        ? `Not all of its commands can run in ${dev.name}.`
        : count > maxParts
          ? `It runs ${count} commands, and ${maxParts} are many: name fewer.`
          : null;
    if (why !== null) {
      facts.leftOut.push({ what, why, where });
      return null;
    }
    const join = runs.parallel ? atOnce : inTurn;
    return { parts: count, line: join(whole.map(alone)), cwd: null, env: {} };
  };

  const commands = listed.flatMap((command): PlannedCommand[] => {
    const script = scriptOf(command);
    if (script === null) return [];
    sources.set(command, command.name);
    const { name, label, group } = command;
    const { line, cwd, env } = script;
    return [{ name, label, group, in: dev.name, command: ["sh", "-c", line], cwd, env }];
  });
  // An event that runs it may have said so already.
  const said = new Set(all.leftOut.map(sameReason));
  all.leftOut.push(...facts.leftOut.filter((one) => !said.has(sameReason(one))));
  return { commands, sources };
}

function sameReason({ why, where }: LeftOut): string {
  return `${formatPlace(where)} ${why}`;
}

interface Script {
  /** How many lines of the source are in it. */
  readonly parts: number;
  readonly line: string;
  readonly cwd: string | null;
  readonly env: Readonly<Record<string, string>>;
}

/** In a shell of its own: what it changes there, and an `exit` in it, ends with it. */
function alone({ line, cwd, env }: Script): string {
  // Names that a shell's own `export` refuses are names for `env`.
  const words = Object.entries(env).map(([name, value]) => quoted(`${name}=${value}`));
  return [
    "(",
    ...(cwd === null ? [] : [`cd ${quoted(cwd)} || exit`]),
    // On lines of its own: it may end with a comment.
    words.length === 0 ? line : `exec env ${words.join(" ")} sh -c ${quoted(line)}`,
    ")",
  ].join("\n");
}

function inTurn(scripts: readonly string[]): string {
  return scripts.length === 0 ? "true" : scripts.join(" &&\n");
}

/** Ends when the last has ended, with the status of the first in the list that failed. */
function atOnce(scripts: readonly string[]): string {
  return [
    ...scripts.map((script, at) => `${script} &\noneloop_${at}=$!`),
    "oneloop_status=0",
    ...scripts.map(
      (_, at) =>
        `wait "$oneloop_${at}" || { oneloop_failed=$?; [ "$oneloop_status" = 0 ] && oneloop_status=$oneloop_failed; }`,
    ),
    "exit $oneloop_status",
  ].join("\n");
}

/** A word for a POSIX shell (its section 2.2.2). */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
