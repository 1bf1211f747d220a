import type { Command } from "commander";
import { clean } from "../../../server/protocol/text.ts";
import { createRun, withExamples, withJson, type Run } from "../action.ts";
import { askYes } from "../ask.ts";
import type { Session } from "../session.ts";
import {
  include,
  isIncluded,
  removeSshConfig,
  sshConfigPlaces,
  writeSshConfig,
} from "../ssh-config-files.ts";
import { count } from "../views.ts";

interface Options {
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly remove?: boolean;
  readonly overHttps?: boolean;
}

export function defineConfigSsh(command: Command): void {
  command
    .option("-y, --yes", "add the Include line to ~/.ssh/config without asking")
    .option(
      "--over-https",
      "reach them by the control plane's URL, where only HTTPS is let through",
    )
    .option("--remove", "undo it: take away the file and the Include line")
    .action(async ({ json = false, yes = false, remove = false, ...how }: Options) => {
      const run = createRun(json);
      const session = await run.session();
      if (remove) await takeAway(run, session);
      else await setUp(run, session, { yes, overHttps: how.overHttps ?? false });
    });
  withExamples(withJson(command), [
    "loop config-ssh",
    "ssh govapp-main-abc.loop      # then; and in editors that speak SSH",
    "loop config-ssh --over-https  # where only HTTPS gets out",
    "loop config-ssh --remove",
  ]);
}

async function setUp(
  { output, json }: Run,
  session: Session,
  { yes, overHttps }: { yes: boolean; overHttps: boolean },
): Promise<void> {
  const places = sshConfigPlaces(session);
  const included = await isIncluded(places);
  const agreed =
    included ||
    yes ||
    (await askYes(
      `Add "Include ${places.pattern}" at the top of ${places.config}?`,
      `${places.config} has to include ${places.pattern}. ` +
        "Run `loop config-ssh --yes` to have the line added at its top.",
    ));
  const workspaces = await session.run((api) => writeSshConfig(api, session, overHttps));
  if (agreed && !included) await include(places);
  if (json) return output.json({ file: places.include, included: agreed, workspaces });
  output.lines([
    clean(`Wrote ${places.include}: ${count(workspaces, "workspace")}.`),
    agreed
      ? "`ssh <workspace>.loop` works now; `loop open` and `loop delete` keep it up to date."
      : clean(`Include it yourself: ssh -F ${places.include} <workspace>.loop`),
  ]);
}

async function takeAway({ output, json }: Run, session: Session): Promise<void> {
  const places = sshConfigPlaces(session);
  await removeSshConfig(places);
  const included = await isIncluded(places);
  if (json) return output.json({ file: places.include, included, removed: true });
  output.lines([
    clean(`Removed ${places.include}.`),
    ...(included
      ? [clean(`${places.config} still includes ${places.pattern}: for others, or by your hand.`)]
      : []),
  ]);
}
