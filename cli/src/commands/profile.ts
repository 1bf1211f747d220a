import type { Command } from "commander";
import { createRun, withExamples, withJson } from "../action.ts";
import { profileLines } from "../people-views.ts";

interface Options {
  readonly json?: boolean;
  readonly name?: string;
  readonly email?: string;
  readonly dotfiles?: string;
}

export function defineProfile(command: Command): void {
  command
    .option("--name <name>", "what git puts into your commits")
    .option("--email <address>", "the address in them")
    .option("--dotfiles <url>", "a repository that new workspaces take your settings from")
    .action(async ({ json = false, name, email, dotfiles }: Options) => {
      const { output, session } = createRun(json);
      const change = {
        ...(name === undefined ? {} : { commitName: name || null }),
        ...(email === undefined ? {} : { commitEmail: email || null }),
        ...(dotfiles === undefined ? {} : { dotfilesUrl: dotfiles || null }),
      };
      const profile = await (
        await session()
      ).run((api) =>
        Object.keys(change).length === 0
          ? api.profile.get.query()
          : api.profile.update.mutate(change),
      );
      const { commitName, commitEmail, dotfilesUrl } = profile;
      if (json) output.json({ commitName, commitEmail, dotfilesUrl });
      else output.lines(profileLines(profile));
    });
  withExamples(withJson(command), [
    "loop profile",
    'loop profile --name "Ada Example" --email ada@example.org',
    "loop profile --dotfiles https://github.com/ada/dotfiles",
    'loop profile --dotfiles ""                  # none any more',
  ]);
}
