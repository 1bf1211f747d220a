import { existsSync } from "node:fs";
import { Option, type Command } from "commander";
import { createRun, withExamples, withJson } from "../action.ts";
import type { Compared } from "../drifting.ts";
import { Failure } from "../failure.ts";

interface Options {
  readonly json?: boolean;
  readonly format?: "text" | "json" | "sarif";
  readonly lock?: string;
  readonly environment?: string;
  readonly project?: string;
}

const oneSide =
  "Name two files or folders; or one, or a workspace, with --environment; or a workspace, which is compared with what it mirrors, by the lock of its repository.";

export function defineDrift(command: Command): void {
  command
    .argument(
      "<a>",
      "a devfile, compose file, Procfile, manifest, or a folder with one of them; alone, a workspace",
    )
    .argument("[b]", "what it is compared with, such as k8s/; of a workspace, what it mirrors")
    .option("--environment <name>", "compare with what really runs there, instead of with a file")
    .option("--project <name>", "the environment's Compose project, where it has several")
    .addOption(
      new Option("--format <format>", "for people, for programs, or for a code host").choices([
        "text",
        "json",
        "sarif",
      ]),
    )
    .option("--lock <file>", "acknowledged differences (default: .oneloop/drift.lock)")
    .action(async (a: string, b: string | undefined, options: Options) => {
      const { json = false, format = json ? "json" : "text" } = options;
      const { output, exit, session } = createRun(json || format !== "text");
      const { report, render } = await compared({ a, b, options }, session);
      if (report.unacknowledgedBreaking > 0) exit(1);
      if (format === "text") output.found(render("text").trimEnd().split("\n"));
      else output.json(JSON.parse(render(format)));
    });
  withExamples(withJson(command), [
    "loop drift devfile.yaml k8s/",
    "loop drift govapp-main-abc      # what it runs, and what it mirrors",
    "loop drift govapp-main-abc --environment production",
    "loop drift compose.yaml --environment production --project shop",
    "loop drift compose.yaml k8s/ --format sarif > drift.sarif",
  ]);
}

async function compared(
  { a, b, options }: { a: string; b: string | undefined; options: Options },
  session: ReturnType<typeof createRun>["session"],
): Promise<Compared> {
  const { lock = null, environment = null, project = null } = options;
  if (project !== null && environment === null) {
    throw new Failure("usage", "--project is of an environment: name it with --environment.");
  }
  if (b !== undefined && environment !== null) throw new Failure("usage", oneSide);
  const { compareFiles, compareWithRunning, renderersOf } = await import("../drifting.ts");
  if (b !== undefined) return compareFiles({ a, b, lock });
  // Workspaces have no such characters in their names; a folder that is here is meant.
  const isFile = /[./]/.test(a) || (environment !== null && existsSync(a));
  if (environment !== null && isFile) {
    const running = async () => {
      const opened = await session();
      return opened.run((api) => api.environments.model.query({ name: environment, project }));
    };
    return compareWithRunning({ a, running, lock });
  }
  if (lock !== null || isFile) throw new Failure("usage", oneSide);
  const opened = await session();
  const report = await opened.run((api) =>
    api.services.drift.query({ workspace: a, environment, project }),
  );
  return renderersOf(report);
}
