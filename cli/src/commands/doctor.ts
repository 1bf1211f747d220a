import type { Command } from "commander";
import { clean } from "../../../server/protocol/text.ts";
import { createRun, withExamples, withJson } from "../action.ts";
import { paint, wrap, type Look } from "../columns.ts";
import type { Check } from "../doctor/check.ts";
import { checksOf } from "../doctor/checks.ts";
import { collectFacts } from "../doctor/collect.ts";
import { Progress } from "../progress.ts";

export function defineDoctor(command: Command): void {
  command.action(async ({ json = false }: { json?: boolean }) => {
    const { output, session, exit } = createRun(json);
    const opened = await session();
    const checks = await (async () => {
      using _looking = new Progress(output, "looking", performance.now());
      return checksOf(await collectFacts(opened));
    })();
    if (checks.some(({ status }) => status === "bad")) exit(1);
    if (json) output.json({ checks });
    else output.lines(checks.flatMap((check) => checkLines(check, output)));
  });
  withExamples(withJson(command), [
    "loop doctor",
    "loop doctor --json | jq -r '.checks[] | select(.status != \"ok\") | .mend'",
  ]);
}

const marks = { ok: ["✓", "green"], warn: ["!", "yellow"], bad: ["✗", "red"] } as const;

export function checkLines({ name, status, detail, means, mend }: Check, look: Look): string[] {
  const [mark, colour] = marks[status];
  return [
    `${paint(mark, colour, look)} ${clean(`${name}: ${detail}`)}`,
    ...(means === null ? [] : wrap(clean(means), look.width, "    ")),
    ...(mend === null ? [] : [paint(clean(`    → ${mend}`), "bold", look)]),
  ];
}
