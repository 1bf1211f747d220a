import { InvalidArgumentError, type Command } from "commander";
import { escapeControls } from "../../../server/protocol/text.ts";
import { printAllLogs } from "../all-logs.ts";
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
  readonly all?: boolean;
  readonly grep?: string;
}

export function defineLogs(command: Command): void {
  command
    .argument(...workspaceArgument)
    .argument("[service]", "one of its services: what that prints")
    .option("-f, --follow", "go on with what happens, until Ctrl+C or the end of it")
    .option("-a, --all", "what all its services print, each line with the service's name")
    .option("-g, --grep <text>", "of services, only lines with this text")
    .option("-n, --lines <number>", "of each service, only the last so many lines", parseLines)
    .action(async (workspace: string, service: string | undefined, options: Options) => {
      const { json = false, follow = false, lines = null, all = false, grep = null } = options;
      if (all && service !== undefined) throw new Failure("usage", "Name a service, or --all.");
      const { output, session } = createRun(json);
      const opened = await session();
      const shape = { json, output, grep };
      if (service !== undefined) {
        const wish = { workspace, service, follow, tail: lines };
        return opened.run((api) => printServiceLog(api, wish, shape));
      }
      if (all) {
        return opened.run(async (api) => {
          const { services } = await api.workspaces.show.query({ workspace });
          const names = services.map(({ name }) => name);
          await printAllLogs(api, { workspace, services: names, follow, tail: lines }, shape);
        });
      }
      if (lines !== null || grep !== null) {
        throw new Failure(
          "usage",
          "--lines and --grep are for the logs of services: name one, or --all.",
        );
      }
      if (follow) return opened.run((api) => followEvents(api, workspace, { json, output }));
      const { events } = await opened.run((api) => api.workspaces.show.query({ workspace }));
      if (json) output.json(events.map(eventJson));
      else output.lines(events.map(eventLine));
    });
  withExamples(withJson(command), [
    "loop logs govapp-main-abc",
    "loop logs govapp-main-abc -f",
    "loop logs govapp-main-abc db -n 100 -f        # what its service db prints",
    "loop logs govapp-main-abc --all -f --grep ERROR",
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
