import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { createRun } from "./action.ts";
import { deleteCommand } from "./commands/delete.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { keysCommand } from "./commands/keys.ts";
import { listCommand } from "./commands/list.ts";
import { loginCommand } from "./commands/login.ts";
import { logoutCommand } from "./commands/logout.ts";
import { openCommand } from "./commands/open.ts";
import { showCommand } from "./commands/show.ts";
import { sshCommand } from "./commands/ssh.ts";
import { startCommand } from "./commands/start.ts";
import { stopCommand } from "./commands/stop.ts";
import { Failure, toFailure } from "./failure.ts";

/** As deep below the package's folder when it is bundled as here. */
function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

function createProgram(): Command {
  const program = new Command("loop")
    .description("Write code inside a replica of production.")
    .version(version())
    .enablePositionalOptions()
    .addHelpText(
      "after",
      `
Examples:
  $ loop open https://github.com/acme/govapp      a workspace of a repository
  $ loop ssh govapp-main-abc                      a shell in it
  $ loop doctor                                   what is missing on this machine

Exit status: 0 done, 1 the answer is no, 2 usage or failure.`,
    );
  for (const command of [
    loginCommand(),
    logoutCommand(),
    openCommand(),
    listCommand(),
    showCommand(),
    sshCommand(),
    stopCommand(),
    startCommand(),
    deleteCommand(),
    keysCommand(),
    doctorCommand(),
  ]) {
    program.addCommand(command);
  }
  return program;
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
  const program = createProgram();
  const args = argv.slice(2);
  // A command for a workspace is not ours to read.
  const json = args[0] !== "ssh" && args.includes("--json");
  settle(program, json);
  const run = createRun(json);
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
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
