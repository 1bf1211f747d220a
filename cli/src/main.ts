import { type Command, CommanderError } from "commander";
import { createRun } from "./action.ts";
import { createProgram } from "./catalogue.ts";
import { Failure, toFailure } from "./failure.ts";
import { version } from "./root.ts";

/** The word that names the command: the first, or the second of `loop help list`. */
function commandOf(args: readonly string[]): string | undefined {
  const [first, second] = args.filter((arg) => !arg.startsWith("-"));
  return first === "help" ? second : first;
}

/** Commander ends the process by itself unless each command is told not to. */
function settle(command: Command, quiet: boolean): void {
  command.exitOverride();
  if (quiet) command.configureOutput({ writeErr: () => undefined });
  for (const child of command.commands) settle(child, quiet);
}

/** @param argv as `process.argv`. Sets the process's exit status. */
export async function main(argv: readonly string[]): Promise<void> {
  // `loop list | head -1`: who reads no more wants no more.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit();
    throw error;
  });
  const args = argv.slice(2);
  // A command for a workspace is not ours to read.
  const json = args[0] !== "ssh" && args.includes("--json");
  const run = createRun(json);
  try {
    const called = commandOf(args);
    const program = await createProgram(
      version(),
      ({ name, alias }) => called !== undefined && [name, alias].includes(called),
    );
    settle(program, json);
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      // A group of commands without one of them shows its help, and that is no success.
      if (error.exitCode === 0) return;
      run.exit(2);
      // Without JSON, commander has said it.
      if (!json) return;
      const message = error.message.replace(/^error: /, "").replaceAll("\n", " ");
      return run.output.failure(new Failure("usage", message), true);
    }
    const failure = toFailure(error, "the control plane");
    run.exit(failure.status);
    await run.output.failure(failure, json);
  }
}
