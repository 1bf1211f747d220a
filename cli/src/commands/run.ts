import type { Command } from "commander";
import { createRun, withExamples, withJson, workspaceArgument } from "../action.ts";
import { columns } from "../columns.ts";
import { Failure } from "../failure.ts";
import { runSsh } from "../run-ssh.ts";
import { shellWord } from "../text.ts";
import type { CommandView } from "../wire.ts";
import { explain, sshArguments, sshFailed, sshTarget } from "./ssh.ts";

export function defineRun(command: Command): void {
  command
    .argument(...workspaceArgument)
    .argument("[command]", "its name, or its purpose: run, test, build, debug; none: list them")
    .action(async (workspace: string, wanted: string | undefined, options: { json?: boolean }) => {
      const run = createRun(options.json ?? false);
      const session = await run.session();
      const offered = await session.run((api) => api.workspaces.commands.query({ workspace }));
      if (wanted === undefined) {
        if (run.json) run.output.json(offered);
        else run.output.lines(commandLines(offered, run.output));
        return;
      }
      const found = pickCommand(offered, wanted);
      const terminal = process.stdin.isTTY && process.stdout.isTTY ? ["-t"] : [];
      const target = await sshTarget(session, workspace);
      const status = await runSsh(sshArguments(target, [remoteLine(found)], terminal));
      run.exit(status);
      if (status === sshFailed) await explain(run, session);
    });
  withExamples(withJson(command), [
    "loop run govapp-main-abc",
    "loop run govapp-main-abc test",
    "loop run govapp-main-abc build-docs",
  ]);
}

/**
 * The command of this name; else the default of this purpose, or the only one.
 *
 * @throws Failure which names those that there are.
 */
export function pickCommand(offered: readonly CommandView[], wanted: string): CommandView {
  const named = offered.find(({ name }) => name === wanted);
  if (named !== undefined) return named;
  const ofKind = offered.filter(({ group }) => group?.kind === wanted);
  const [only, second] = ofKind;
  const preferred = ofKind.find(({ group }) => group?.isDefault) ?? (second ? undefined : only);
  if (preferred !== undefined) return preferred;
  const among = ofKind.length > 0 ? ofKind : offered;
  const names = among.map(({ name }) => name).join(", ");
  throw new Failure(
    "not-found",
    among.length === 0
      ? "The workspace offers no commands: its devfile has none."
      : `The workspace offers ${ofKind.length > 0 ? `several for ${wanted}` : `no command ${wanted}`}. There are: ${names}`,
  );
}

/** One line for the shell at the other end: the folder, the variables, the command. */
export function remoteLine({ line, cwd, env }: CommandView): string {
  const variables = Object.entries(env).map(([name, value]) => shellWord(`${name}=${value}`));
  const command = ["exec", "env", ...variables, "sh", "-c", shellWord(line)].join(" ");
  return cwd === null ? command : `cd ${shellWord(cwd)} && ${command}`;
}

function commandLines(
  offered: readonly CommandView[],
  look: Parameters<typeof columns>[2]["look"],
): string[] {
  if (offered.length === 0) return ["No commands: the devfile has none."];
  return columns(
    ["name", "for", "runs", "because of"],
    offered.map(({ name, group, line, where }) => {
      const purpose = group === null ? "-" : `${group.kind}${group.isDefault ? " *" : ""}`;
      return [name, purpose, line, where[0] ?? "-"];
    }),
    { look, whole: ["name"] },
  );
}
