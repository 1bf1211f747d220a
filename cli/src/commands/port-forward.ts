import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import { clean } from "../../../server/protocol/text.ts";
import { createRun, withExamples, workspaceArgument } from "../action.ts";
import { forwardArguments, forwardLine, parseForward } from "../forward.ts";
import { runSsh } from "../run-ssh.ts";
import { explain, sshArguments, sshFailed, sshTarget } from "./ssh.ts";

/** What ssh's LocalCommand prints when it is connected and every port is bound. */
const ready = "ready";

/** Between two processes that one key of the terminal ends, on a busy machine. */
const lateSignalMs = 200;

export function definePortForward(command: Command): void {
  command
    .argument(...workspaceArgument)
    .argument("<forwards...>", "LOCAL:REMOTE, one number for both, or LOCAL:HOST:REMOTE")
    .action(async (target: string, texts: string[]) => {
      const run = createRun(false);
      const forwards = texts.map(parseForward);
      const session = await run.session();
      const args = sshArguments(
        await sshTarget(session, target),
        [],
        [
          ...["-N", "-T", "-o", "ExitOnForwardFailure=yes"],
          ...["-o", "PermitLocalCommand=yes", "-o", `LocalCommand=echo ${ready}`],
          ...forwardArguments(forwards),
        ],
      );
      let connected = false;
      const onOutput = (text: string): void => {
        if (connected || !text.includes(ready)) return;
        connected = true;
        run.output.lines(forwards.map((forward) => clean(forwardLine(forward, target))));
        run.output.note("Ctrl+C ends it.");
      };
      let interrupt: () => void = () => undefined;
      const interrupted = new Promise<true>((resolve) => (interrupt = () => resolve(true)));
      process.on("SIGINT", interrupt);
      const status = await runSsh(args, { onOutput });
      // Ctrl+C comes to both of us at once: that ssh has ended may be heard first.
      const byUser = await Promise.race([interrupted, delay(lateSignalMs, false)]);
      process.off("SIGINT", interrupt);
      // It stood, and the user ended it: nothing failed.
      if (connected && byUser) return;
      run.exit(2);
      if (status === sshFailed && !connected) await explain(run, session);
    });
  withExamples(command, [
    "loop port-forward govapp-main-abc 3000",
    "loop port-forward govapp-main-abc 8080:3000 5432:database:5432",
  ]);
}
