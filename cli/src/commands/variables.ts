import { Command } from "commander";
import { clean } from "../../../server/protocol/text.ts";
import { createRun, withExamples, withJson } from "../action.ts";
import { askSecret } from "../ask.ts";
import { Failure } from "../failure.ts";
import { variableLines } from "../people-views.ts";
import type { VariableView } from "../wire.ts";

interface Options {
  readonly json?: boolean;
  readonly secret?: boolean;
  readonly pattern?: string;
}

const everyRepository = "*";
const pattern = [
  "--pattern <pattern>",
  "of repositories as host/owner/repo, with * for any text; default: all",
] as const;

export function defineVariables(command: Command): void {
  command.addCommand(listCommand()).addCommand(setCommand()).addCommand(removeCommand());
  withExamples(command, [
    "loop variables set EDITOR=vim",
    "loop variables set NPM_TOKEN --secret",
    "loop variables list",
  ]);
}

function listCommand(): Command {
  const command = new Command("list")
    .description("your variables; the values of secrets are never shown")
    .action(async ({ json = false }: Options) => {
      const { output, session } = createRun(json);
      const variables = await (await session()).run((api) => api.variables.list.query());
      if (json) output.json(variables.map(variableJson));
      else output.lines(variableLines(variables, output));
    });
  return withExamples(withJson(command), ["loop variables list"]);
}

function setCommand(): Command {
  const command = new Command("set")
    .description("set a variable for workspaces that start from now on")
    .argument("<name[=value]>", "a name alone asks for the value, or reads standard input")
    .option("--secret", "a value that is never shown again, nor taken from the command line")
    .option(...pattern)
    .action(async (given: string, options: Options) => {
      const { json = false, secret = false, pattern = everyRepository } = options;
      const { output, session } = createRun(json);
      const { name, value } = splitVariable(given, secret);
      const opened = await session();
      const whole = value ?? (await askSecret(`Value of ${name}`));
      const variable = await opened.run((api) =>
        api.variables.set.mutate({ name, value: whole, pattern, secret }),
      );
      if (json) output.json(variableJson(variable));
      else output.lines([clean(`Set ${name} for ${repositories(pattern)}.`)]);
    });
  return withExamples(withJson(command), [
    "loop variables set EDITOR=vim",
    "loop variables set NPM_TOKEN --secret               # asks for the value",
    "loop variables set KEY --secret --pattern 'github.com/acme/*' < key.pem",
  ]);
}

function removeCommand(): Command {
  const command = new Command("remove")
    .description("remove a variable")
    .argument("<name>", "the name or the id, as `loop variables list` shows them")
    .option(...pattern)
    .action(async (name: string, { json = false, pattern }: Options) => {
      const { output, session } = createRun(json);
      const removed = await (
        await session()
      ).run(async (api) => {
        const found = pickVariable(await api.variables.list.query(), { name, pattern });
        await api.variables.remove.mutate({ id: found.id });
        return found;
      });
      if (json) output.json({ id: removed.id, name: removed.name, removed: true });
      else output.lines([clean(`Removed ${removed.name} for ${repositories(removed.pattern)}.`)]);
    });
  return withExamples(withJson(command), ["loop variables remove NPM_TOKEN"]);
}

/** @throws Failure before a secret's value is taken from where all programs can read it. */
export function splitVariable(
  given: string,
  secret: boolean,
): { readonly name: string; readonly value: string | null } {
  const equals = given.indexOf("=");
  if (equals === -1) return { name: given, value: null };
  const name = given.slice(0, equals);
  if (!secret) return { name, value: given.slice(equals + 1) };
  throw new Failure(
    "usage",
    "Every program of this machine can read a command line. Give the name alone: " +
      `\`loop variables set ${name} --secret\` asks for the value, or reads standard input.`,
  );
}

/** @throws Failure where none fits, or where the name alone is of several. */
export function pickVariable(
  variables: readonly VariableView[],
  { name, pattern }: { readonly name: string; readonly pattern: string | undefined },
): VariableView {
  const fitting = variables.filter(
    (one) =>
      one.id === name || (one.name === name && (pattern === undefined || one.pattern === pattern)),
  );
  const [first, ...more] = fitting;
  if (first === undefined) {
    const sentence = `There is no variable ${name}. \`loop variables list\` shows yours.`;
    throw new Failure("not-found", sentence);
  }
  if (more.length === 0) return first;
  const patterns = fitting.map((one) => one.pattern).join(", ");
  throw new Failure("usage", `There are several: say which with --pattern, one of ${patterns}.`);
}

function repositories(pattern: string): string {
  return pattern === everyRepository ? "all repositories" : pattern;
}

function variableJson({ id, name, pattern, secret, value }: VariableView) {
  return { id, name, pattern, secret, value };
}
