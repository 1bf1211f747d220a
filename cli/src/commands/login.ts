import type { Command } from "commander";
import { clean } from "../../../server/protocol/text.ts";
import { createRun, withExamples, withJson } from "../action.ts";
import { askLine } from "../ask.ts";
import { Failure } from "../failure.ts";
import { askForProfile } from "../first-profile.ts";

interface Options {
  readonly json?: boolean;
  readonly local?: boolean;
}

export function defineLogin(command: Command): void {
  command
    .argument("[url]", "the control plane; default: the one on this machine")
    .option("--local", "with the code in the data folder of this machine's control plane")
    .action(async (url: string | undefined, { json = false, local = false }: Options) => {
      const { output, session } = createRun(json);
      const opened = await session(url);
      const code = local
        ? await opened.localCode()
        : codeIn(await askLine("One-time code, or the sign-in link: "));
      const user = await opened.signIn(code);
      if (json) return output.json({ url: opened.url, user });
      output.lines([clean(`Signed in to ${opened.url} as ${user}.`)]);
      await opened.run((api) => askForProfile(api, opened));
    });
  withExamples(withJson(command), [
    "loop login --local",
    "loop login https://app.oneloop.example.org",
  ]);
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
