import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Command } from "commander";
import { clean } from "../../../server/protocol/text.ts";
import { createRun, withExamples, withJson } from "../action.ts";
import { Failure } from "../failure.ts";
import { keyJson, keyLines } from "../views.ts";

interface Options {
  readonly json?: boolean;
  readonly name?: string;
}

export function defineKeys(command: Command): void {
  command
    .addCommand(addCommand())
    .addCommand(listCommand())
    .addCommand(removeCommand())
    .addCommand(codeCommand());
  withExamples(command, ["loop keys add", "loop keys list"]);
}

function addCommand(): Command {
  const command = new Command("add")
    .description("add a public key")
    .argument("[file]", "a .pub file, or - for standard input; default: the first in ~/.ssh")
    .option("--name <name>", "what to call it; default: the key's own comment")
    .action(async (file: string | undefined, { json = false, name = "" }: Options) => {
      const { output, session } = createRun(json);
      const publicKey = checkPublicKey(await readKey(file));
      const key = await (await session()).run((api) => api.keys.add.mutate({ name, publicKey }));
      if (json) output.json(keyJson(key));
      else output.lines([clean(`Added ${key.name}: ${key.fingerprint} (${key.type})`)]);
    });
  return withExamples(withJson(command), [
    "loop keys add",
    "loop keys add ~/.ssh/work.pub --name laptop",
    "ssh-add -L | head -1 | loop keys add -",
  ]);
}

function listCommand(): Command {
  const command = new Command("list")
    .description("your keys")
    .action(async ({ json = false }: Options) => {
      const { output, session } = createRun(json);
      const keys = await (await session()).run((api) => api.keys.list.query());
      if (json) output.json(keys.map(keyJson));
      else output.lines(keyLines(keys, output));
    });
  return withExamples(withJson(command), ["loop keys list"]);
}

function removeCommand(): Command {
  const command = new Command("remove")
    .description("remove a key")
    .argument("<id>", "as `loop keys list` shows it")
    .action(async (id: string, { json = false }: Options) => {
      const { output, session } = createRun(json);
      await (await session()).run((api) => api.keys.remove.mutate({ id }));
      if (json) output.json({ id, removed: true });
      else output.lines([clean(`Removed ${id}`)]);
    });
  return withExamples(withJson(command), ["loop keys remove k3yid"]);
}

function codeCommand(): Command {
  const command = new Command("code")
    .description("a one-time code that signs in by ssh without a key, if the operator allows it")
    .action(async ({ json = false }: Options) => {
      const { output, session } = createRun(json);
      const { code, expiresAt } = await (await session()).run((api) => api.keys.code.mutate());
      if (json) output.json({ code, expiresAt });
      else {
        output.lines([clean(code)]);
        output.note("It works once, within 5 minutes: ssh asks for it where it finds no key.");
      }
    });
  return withExamples(withJson(command), ["loop keys code"]);
}

/** What ssh-keygen makes, and what ssh tries, in this order. */
const defaultKeys = ["id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub"];

async function readKey(file: string | undefined): Promise<string> {
  if (file === "-") return text(process.stdin);
  if (file !== undefined) {
    const content = await readOrNull(file);
    if (content === null) throw new Failure("usage", `There is no file ${file}.`);
    return content;
  }
  const folder = join(homedir(), ".ssh");
  for (const name of defaultKeys) {
    const content = await readOrNull(join(folder, name));
    if (content !== null) return content;
  }
  throw new Failure(
    "bad-input",
    `There is no public key in ${folder}. Make one with \`ssh-keygen -t ed25519\`.`,
  );
}

async function readOrNull(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** @throws Failure before a private key leaves this machine by mistake. */
export function checkPublicKey(content: string): string {
  const key = content.trim();
  if (key.includes("PRIVATE KEY")) {
    throw new Failure("usage", "This is a private key: keep it. Give the file that ends in .pub.");
  }
  if (/^[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [^\r\n]*)?$/.test(key)) return key;
  throw new Failure(
    "usage",
    "This is no public key: it is one line, such as `ssh-ed25519 AAAA… me`.",
  );
}
