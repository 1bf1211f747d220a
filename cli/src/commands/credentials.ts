import { Command } from "commander";
import { clean } from "../../../server/protocol/text.ts";
import { createRun, withExamples, withJson } from "../action.ts";
import { askLine, askSecret, canAsk } from "../ask.ts";
import { Failure } from "../failure.ts";
import { credentialLines } from "../people-views.ts";
import type { CredentialView } from "../wire.ts";

interface Options {
  readonly json?: boolean;
  readonly username?: string;
}

export function defineCredentials(command: Command): void {
  command.addCommand(listCommand()).addCommand(setCommand()).addCommand(removeCommand());
  withExamples(command, [
    "loop credentials set github.com --username ada",
    "loop credentials list",
  ]);
}

function listCommand(): Command {
  const command = new Command("list")
    .description("the hosts that you have stored one for; the secrets are never shown")
    .action(async ({ json = false }: Options) => {
      const { output, session } = createRun(json);
      const credentials = await (await session()).run((api) => api.credentials.list.query());
      if (json) output.json(credentials.map(credentialJson));
      else output.lines(credentialLines(credentials, output));
    });
  return withExamples(withJson(command), ["loop credentials list"]);
}

function setCommand(): Command {
  const command = new Command("set")
    .description(
      "store a token or password of a git host or an image registry, or a private key for ssh, in place of the one before",
    )
    .argument(
      "<host>",
      "as in the repository's URL or the image's name, such as github.com or ghcr.io",
    )
    .option("--username <name>", "your name there; asked for otherwise")
    .action(async (host: string, { json = false, username }: Options) => {
      const { output, session } = createRun(json);
      const opened = await session();
      const name = username ?? (await askUsername(host));
      const secret = await askSecret(`Token or password of ${name} at ${host}`);
      const credential = await opened.run((api) =>
        api.credentials.set.mutate({ host, username: name, secret }),
      );
      if (json) output.json(credentialJson(credential));
      else output.lines([clean(`Stored for ${credential.host}, as ${credential.username}.`)]);
    });
  return withExamples(withJson(command), [
    "loop credentials set github.com --username ada         # asks for the secret",
    "pass show work/git | loop credentials set git.example.org --username ada",
    "loop credentials set git.example.org --username git < ~/.ssh/key",
    "loop credentials set ghcr.io --username ada    # for private images",
  ]);
}

function removeCommand(): Command {
  const command = new Command("remove")
    .description("forget one")
    .argument("<host>", "the host or the id, as `loop credentials list` shows them")
    .action(async (host: string, { json = false }: Options) => {
      const { output, session } = createRun(json);
      const removed = await (
        await session()
      ).run(async (api) => {
        const stored = await api.credentials.list.query();
        const found = stored.find((one) => one.id === host || one.host === host.toLowerCase());
        if (found === undefined) throw noneFor(host);
        await api.credentials.remove.mutate({ id: found.id });
        return found;
      });
      if (json) output.json({ id: removed.id, host: removed.host, removed: true });
      else output.lines([clean(`Removed the one for ${removed.host}.`)]);
    });
  return withExamples(withJson(command), ["loop credentials remove github.com"]);
}

function noneFor(host: string): Failure {
  const sentence = `There is no credential for ${host}. \`loop credentials list\` shows yours.`;
  return new Failure("not-found", sentence);
}

async function askUsername(host: string): Promise<string> {
  // With the secret on standard input nobody could type the name.
  const name = canAsk() ? await askLine(`Your name at ${host}: `) : "";
  if (name !== "") return name;
  throw new Failure("usage", `Say who you are at ${host}: --username NAME.`);
}

function credentialJson({ id, host, username, createdAt, lastUsedAt }: CredentialView) {
  return { id, host, username, createdAt, lastUsedAt };
}
