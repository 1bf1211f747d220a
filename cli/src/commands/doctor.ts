import { Command } from "commander";
import { createRun, withExamples, withJson } from "../action.ts";
import { runChecks } from "../doctor.ts";
import { clean } from "../text.ts";

export function doctorCommand(): Command {
  const command = new Command("doctor")
    .description("what is missing on this machine, and the command that mends it")
    .action(async ({ json = false }: { json?: boolean }) => {
      const { output, session, exit } = createRun(json);
      const checks = await runChecks(await session());
      if (checks.some(({ ok }) => !ok)) exit(1);
      if (json) return output.json({ checks });
      output.lines(
        checks.flatMap(({ name, ok, detail, mend }) => [
          clean(`${ok ? "✓" : "✗"} ${name}: ${detail}`),
          ...(mend === null ? [] : [clean(`    ${mend}`)]),
        ]),
      );
    });
  return withExamples(withJson(command), ["loop doctor", "loop doctor --json"]);
}
