import { createInterface } from "node:readline/promises";
import { Command } from "commander";
import { createRun, withExamples, withJson } from "../action.ts";
import { Failure } from "../failure.ts";
import { clean } from "../text.ts";

interface Options {
  readonly json?: boolean;
  readonly local?: boolean;
}

export function loginCommand(): Command {
  const command = new Command("login")
    .description("sign in to a control plane, with a one-time code")
    .argument("[url]", "the control plane; default: the one on this machine")
    .option("--local", "with the code in the data folder of this machine's control plane")
    .action(async (url: string | undefined, { json = false, local = false }: Options) => {
      const { output, session } = createRun(json);
      const opened = await session(url);
      const code = local ? await opened.localCode() : codeIn(await ask());
      const user = await opened.signIn(code);
      if (json) output.json({ url: opened.url, user });
      else output.lines([clean(`Signed in to ${opened.url} as ${user}.`)]);
    });
  return withExamples(withJson(command), [
    "loop login --local",
    "loop login https://app.oneloop.example.org",
  ]);
}

async function ask(): Promise<string> {
  // Questions go to standard error: standard output is for the result.
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const ended = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
  try {
    return await Promise.race([lines.question("One-time code, or the sign-in link: "), ended]);
  } finally {
    lines.close();
  }
}

/** The code alone, or the whole link that `npm start` prints: `…/sign-in#<code>`. */
export function codeIn(text: string): string {
  const code = text.trim().replace(/^.*#/, "");
  if (/^[\w-]{8,200}$/.test(code)) return code;
  throw new Failure(
    "usage",
    "This is no one-time code. `npm start` prints a link that ends in one.",
  );
}
