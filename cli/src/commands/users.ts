import { Command } from "commander";
import { clean } from "../../../server/protocol/text.ts";
import { createRun, withExamples, withJson } from "../action.ts";
import type { Api } from "../api.ts";
import { Failure } from "../failure.ts";
import { personLines } from "../people-views.ts";
import type { PersonView } from "../wire.ts";

interface Options {
  readonly json?: boolean;
}

export function defineUsers(command: Command): void {
  command
    .addCommand(addCommand())
    .addCommand(listCommand())
    .addCommand(inviteCommand())
    .addCommand(removeCommand());
  withExamples(command, ["loop users add grace", "loop users list"]);
}

function addCommand(): Command {
  const command = new Command("add")
    .description("add a person: prints a link that signs them in, once")
    .argument("<name>", "of small letters and digits, such as grace or a.lovelace")
    .action(async (name: string, { json = false }: Options) => {
      const { output, session } = createRun(json);
      const { id, link } = await (await session()).run((api) => api.people.add.mutate({ name }));
      if (json) output.json({ id, name, link });
      else output.lines([clean(link), clean(`Give it to ${name}: it works once.`)]);
    });
  return withExamples(withJson(command), ["loop users add grace"]);
}

function listCommand(): Command {
  const command = new Command("list")
    .description("the people of this installation")
    .action(async ({ json = false }: Options) => {
      const { output, session } = createRun(json);
      const people = await (await session()).run((api) => api.people.list.query());
      if (json) output.json(people.map(personJson));
      else output.lines(personLines(people, output));
    });
  return withExamples(withJson(command), ["loop users list"]);
}

function inviteCommand(): Command {
  const command = new Command("invite")
    .description("another sign-in link, for a person who lost all devices")
    .argument("<name>", "their name or id")
    .action(async (name: string, { json = false }: Options) => {
      const { output, session } = createRun(json);
      const { link } = await (await session()).run((api) => api.people.invite.mutate({ id: name }));
      if (json) output.json({ name, link });
      else output.lines([clean(link), clean(`Give it to ${name}: it works once.`)]);
    });
  return withExamples(withJson(command), ["loop users invite grace"]);
}

function removeCommand(): Command {
  const command = new Command("remove")
    .description("remove a person with their keys, sessions, credentials and variables")
    .argument("<name>", "their name or id; not while they have workspaces")
    .action(async (name: string, { json = false }: Options) => {
      const { output, session } = createRun(json);
      const person = await (
        await session()
      ).run(async (api) => {
        const found = await findPerson(api, name);
        await api.people.remove.mutate({ id: found.id });
        return found;
      });
      if (json) output.json({ id: person.id, name: person.name, removed: true });
      else output.lines([clean(`Removed ${person.name}.`)]);
    });
  return withExamples(withJson(command), ["loop users remove grace"]);
}

async function findPerson(api: Api, name: string): Promise<PersonView> {
  const people = await api.people.list.query();
  const found = people.find((person) => person.id === name || person.name === name);
  if (found !== undefined) return found;
  throw new Failure("not-found", `There is no person ${name}. \`loop users list\` shows all.`);
}

function personJson({ id, name, role, createdAt, workspaces, lastSeenAt }: PersonView) {
  return { id, name, role, createdAt, workspaces, lastSeenAt };
}
