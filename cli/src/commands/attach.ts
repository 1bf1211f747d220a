import type { Command } from "commander";
import { createRun, withExamples, workspaceArgument } from "../action.ts";
import { runSsh } from "../run-ssh.ts";
import { explain, sshArguments, sshFailed, sshTarget } from "./ssh.ts";

/** What the gateway takes for a wish to attach; it knows which terminals there are. */
const subsystem = "oneloop-attach";

export function defineAttach(command: Command): void {
  command
    .argument(...workspaceArgument)
    .argument("[terminal]", "its id, where the login names several")
    .action(async (target: string, terminal: string | undefined) => {
      const run = createRun(false);
      const session = await run.session();
      const words = terminal === undefined ? [subsystem] : [subsystem, terminal];
      const args = sshArguments(await sshTarget(session, target), words, ["-tt", "-s"]);
      const status = await runSsh(args);
      run.exit(status);
      if (status === sshFailed) await explain(run, session);
    });
  withExamples(command, ["loop attach govapp-main-abc", "loop attach govapp-main-abc 4c1f09ab"]);
}
