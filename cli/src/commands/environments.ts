import { Command } from "commander";
import { clean } from "../../../server/protocol/text.ts";
import { createRun, withExamples, withJson } from "../action.ts";
import { environmentLines } from "../people-views.ts";

interface Options {
  readonly json?: boolean;
}

interface AddOptions extends Options {
  readonly project?: string;
  readonly certificates?: string;
}

export function defineEnvironments(command: Command): void {
  command.addCommand(addCommand()).addCommand(listCommand()).addCommand(removeCommand());
  withExamples(command, [
    "loop environments add production unix:///run/production/docker.sock",
    "loop environments list",
    "loop drift govapp-main-abc --environment production",
  ]);
}

function addCommand(): Command {
  const command = new Command("add")
    .description(
      "register an engine to be looked at: nothing is changed there, and no variable's value is read; whoever signs in here may compare with it",
    )
    .argument("<name>", "of small letters and digits, such as production")
    .argument(
      "<docker-host>",
      "as the control plane reaches it: unix:///path/to/docker.sock or tcp://host:port",
    )
    .option("--project <name>", "the Compose project that is meant, where it has several")
    .option(
      "--certificates <folder>",
      "for TLS: a folder of the control plane's machine with ca.pem, cert.pem and key.pem",
    )
    .action(
      async (
        name: string,
        dockerHost: string,
        { json = false, project, certificates }: AddOptions,
      ) => {
        const { output, session } = createRun(json);
        const added = await (
          await session()
        ).run((api) =>
          api.environments.add.mutate({
            name,
            dockerHost,
            project: project ?? null,
            certificates: certificates ?? null,
          }),
        );
        if (json) {
          output.json(added);
          return;
        }
        const { projects, running } = added;
        const containers = running === 1 ? "1 container runs" : `${running} containers run`;
        const of = projects.length === 0 ? "no Compose project" : projects.join(", ");
        output.lines([
          clean(`Added ${name}: ${containers} there; Compose projects: ${of}.`),
          ...(project === undefined && projects.length > 1
            ? [clean(`Whoever compares says which one is meant: --project ${projects[0]}`)]
            : []),
        ]);
      },
    );
  return withExamples(withJson(command), [
    "loop environments add production unix:///run/production/docker.sock",
    "loop environments add staging tcp://10.0.0.7:2376 --certificates /etc/tls",
  ]);
}

function listCommand(): Command {
  const command = new Command("list")
    .description("what is registered")
    .action(async ({ json = false }: Options) => {
      const { output, session } = createRun(json);
      const environments = await (await session()).run((api) => api.environments.list.query());
      if (json) output.json(environments);
      else output.lines(environmentLines(environments, output));
    });
  return withExamples(withJson(command), ["loop environments list"]);
}

function removeCommand(): Command {
  const command = new Command("remove")
    .description("forget one; nothing happens to the engine")
    .argument("<name>", "as `loop environments list` shows it")
    .action(async (name: string, { json = false }: Options) => {
      const { output, session } = createRun(json);
      await (await session()).run((api) => api.environments.remove.mutate({ name }));
      if (json) output.json({ name, removed: true });
      else output.lines([clean(`Removed ${name}.`)]);
    });
  return withExamples(withJson(command), ["loop environments remove staging"]);
}
