import type { Command } from "commander";
import { clean } from "../../../server/protocol/text.ts";
import { createRun, withExamples, withJson } from "../action.ts";

export function defineLogout(command: Command): void {
  command
    .argument("[url]", "the control plane; default: the one that commands talk to")
    .action(async (url: string | undefined, { json = false }: { json?: boolean }) => {
      const { output, session } = createRun(json);
      const opened = await session(url);
      const signedOut = await opened.signOut();
      if (json) output.json({ url: opened.url, signedOut });
      else
        output.lines([
          clean(signedOut ? `Signed out of ${opened.url}.` : "You were not signed in."),
        ]);
    });
  withExamples(withJson(command), ["loop logout"]);
}
