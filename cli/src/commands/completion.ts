import { Argument, type Command } from "commander";
import { createRun, withExamples } from "../action.ts";
import { createProgram } from "../catalogue.ts";
import { completionScript, describe, shells, type Shell } from "../completion.ts";

export function defineCompletion(command: Command): void {
  command
    .addArgument(new Argument("<shell>", "whose script").choices(shells))
    .action(async (shell: Shell) => {
      // With every command: the script knows their options, and asks for workspaces alone.
      const program = await createProgram("", () => true);
      createRun(false).output.lines([completionScript(shell, describe(program))]);
    });
  withExamples(command, [
    "loop completion bash > ~/.local/share/bash-completion/completions/loop",
    'loop completion zsh > "${fpath[1]}/_loop"',
    "loop completion fish > ~/.config/fish/completions/loop.fish",
  ]);
}
