import { Argument, type Command } from "commander";
import { createRun, withExamples } from "../action.ts";
import { completionScript, describe, shells, type Shell } from "../completion.ts";

/** @param everyCommand makes the program with all commands defined, which costs a while. */
export function defineCompletion(command: Command, everyCommand: () => Promise<Command>): void {
  command
    .addArgument(new Argument("<shell>", "whose script").choices(shells))
    .action(async (shell: Shell) => {
      // The script knows the options of all, and asks for workspaces alone.
      createRun(false).output.lines([completionScript(shell, describe(await everyCommand()))]);
    });
  withExamples(command, [
    "loop completion bash > ~/.local/share/bash-completion/completions/loop",
    'loop completion zsh > "${fpath[1]}/_loop"',
    "loop completion fish > ~/.config/fish/completions/loop.fish",
  ]);
}
