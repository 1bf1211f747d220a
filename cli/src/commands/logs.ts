import { InvalidArgumentError, type Command } from "commander";
import { escapeControls } from "../../../server/protocol/text.ts";
import { createRun, withExamples, withJson, workspaceArgument } from "../action.ts";
import type { Api } from "../api.ts";
import { Failure } from "../failure.ts";
import type { Output } from "../output.ts";
import { printServiceLog } from "../service-log.ts";
import { eventJson, eventLine } from "../views.ts";
import type { WorkspaceEvent } from "../wire.ts";

interface Options {
  readonly json?: boolean;
  readonly follow?: boolean;
  readonly lines?: number;
}

export function defineLogs(command: Command): void {
  command
    .argument(...workspaceArgument)
    .argument("[service]", "one of its services: what that prints")
    .option("-f, --follow", "go on with what happens, until Ctrl+C or the end of it")
    .option("-n, --lines <number>", "of a service, only the last so many lines", parseLines)
    .action(async (workspace: string, service: string | undefined, options: Options) => {
      const { json = false, follow = false, lines = null } = options;
      const { output, session } = createRun(json);
      const opened = await session();
      if (service !== undefined) {
        const wish = { workspace, service, follow, tail: lines };
        return opened.run((api) => printServiceLog(api, wish, { json, output }));
      }
      if (lines !== null)
        throw new Failure("usage", "--lines is for the log of a service: name it.");
      if (follow) return opened.run((api) => followEvents(api, workspace, { json, output }));
      const { events } = await opened.run((api) => api.workspaces.show.query({ workspace }));
      if (json) output.json(events.map(eventJson));
      else output.lines(events.map(eventLine));
    });
  withExamples(withJson(command), [
    "loop logs govapp-main-abc",
    "loop logs govapp-main-abc -f",
    "loop logs govapp-main-abc db -n 100 -f        # what its service db prints",
    "loop logs govapp-main-abc -f --json | jq -r .message     # one object a line",
  ]);
}

function parseLines(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It is a whole number of lines.");
}

/** Every event, from the first: a line each, and with `json` an object a line. */
function followEvents(
  api: Api,
  workspace: string,
  { json, output }: { json: boolean; output: Output },
): Promise<void> {
  const show = (event: WorkspaceEvent): void =>
    output.lines([json ? escapeControls(JSON.stringify(eventJson(event))) : eventLine(event)]);
  return new Promise((resolve, reject) => {
    const subscription = api.workspaces.watch.subscribe(
      { workspace },
      {
        onData: ({ data: update }) => {
          if (update.kind === "event") show(update.event);
          if (update.kind !== "deleted") return;
          resolve();
          subscription.unsubscribe();
        },
        onError: reject,
        onComplete: () =>
          reject(
            new Failure("control-plane-unreachable", "The control plane ended the connection."),
          ),
      },
    );
  });
}
