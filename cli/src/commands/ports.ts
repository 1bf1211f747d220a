import { InvalidArgumentError, type Command } from "commander";
import { createRun, withExamples, withJson, workspaceArgument } from "../action.ts";
import { portJson, portLines } from "../views.ts";
import type { PortVisibility } from "../wire.ts";

interface Options {
  readonly json?: boolean;
  readonly set?: readonly PortSetting[];
  readonly service?: string;
}

export interface PortSetting {
  readonly port: number;
  readonly visibility: PortVisibility;
}

const visibilities: readonly PortVisibility[] = ["private", "signed-in", "public"];

export function definePorts(command: Command): void {
  command
    .argument(...workspaceArgument)
    .option(
      "--set <PORT=WHO>",
      "who may see a port: private (you), signed-in (everybody here) or public; more than one --set is possible",
      (text: string, before: readonly PortSetting[] | undefined) => [
        ...(before ?? []),
        parsePortSetting(text),
      ],
    )
    .option("--service <name>", "the service that has the ports of --set, where it stands alone")
    .action(async (workspace: string, { json = false, set = [], service }: Options) => {
      const { output, session } = createRun(json);
      const { ports } = await (
        await session()
      ).run(async (api) => {
        for (const setting of set) {
          await api.workspaces.setPortVisibility.mutate({
            workspace,
            ...setting,
            service: service ?? null,
          });
        }
        return api.workspaces.show.query({ workspace });
      });
      if (json) output.json(ports.map(portJson));
      else output.lines(portLines(ports, output));
    });
  withExamples(withJson(command), [
    "loop ports govapp-main-abc",
    "loop ports govapp-main-abc --set 3000=signed-in",
    "loop ports govapp-main-abc --set 8080=public --service back-end",
  ]);
}

/** `3000=public`. */
export function parsePortSetting(text: string): PortSetting {
  const [, digits = "", who = ""] = /^(\d{1,5})=(.*)$/.exec(text) ?? [];
  const port = Number(digits);
  const visibility = visibilities.find((one) => one === who);
  if (visibility === undefined || port < 1 || port > 65_535) {
    throw new InvalidArgumentError(
      `Give a port and who may see it, such as 3000=signed-in; it is one of ${visibilities.join(", ")}.`,
    );
  }
  return { port, visibility };
}
