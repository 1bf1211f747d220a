import type { Command } from "commander";
import { createRun, withExamples, withJson, workspaceArgument } from "../action.ts";
import { Failure } from "../failure.ts";
import { serviceDetailLines, serviceJson, serviceLines } from "../views.ts";

export function defineServices(command: Command): void {
  command
    .argument(...workspaceArgument)
    .argument("[service]", "one of them: every setting of it, with the line that it comes from")
    .action(
      async (workspace: string, name: string | undefined, { json = false }: { json?: boolean }) => {
        const { output, session } = createRun(json);
        const opened = await session();
        const { services } = await opened.run((api) => api.workspaces.show.query({ workspace }));
        if (name === undefined) {
          if (json) output.json(services.map(serviceJson));
          else output.lines(serviceLines(services, output));
          return;
        }
        const service = services.find((one) => one.name === name);
        if (service === undefined) {
          const names = services.map((one) => one.name).join(", ");
          throw new Failure("not-found", `${workspace} has no service ${name}. It has ${names}.`);
        }
        const { settings } = await opened.run((api) =>
          api.workspaces.serviceSettings.query({ workspace, service: name }),
        );
        if (json) output.json({ ...serviceJson(service), settings });
        else output.lines(serviceDetailLines(service, settings));
      },
    );
  withExamples(withJson(command), [
    "loop services govapp-main-abc",
    "loop services govapp-main-abc back-end     # its settings, with their lines",
    "loop services govapp-main-abc --json | jq -r '.[].image'",
  ]);
}
