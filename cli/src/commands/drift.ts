import { Option, type Command } from "commander";
import { createRun, withExamples, withJson } from "../action.ts";
import type { Compared } from "../drifting.ts";
import { Failure } from "../failure.ts";

interface Options {
  readonly json?: boolean;
  readonly format?: "text" | "json" | "sarif";
  readonly lock?: string;
}

const oneSide =
  "Name two files or folders; or a workspace, which is compared with what it mirrors, by the lock of its repository.";

export function defineDrift(command: Command): void {
  command
    .argument(
      "<a>",
      "a devfile, compose file, Procfile, manifest, or a folder with one of them; alone, a workspace",
    )
    .argument("[b]", "what it is compared with, such as k8s/; of a workspace, what it mirrors")
    .addOption(
      new Option("--format <format>", "for people, for programs, or for a code host").choices([
        "text",
        "json",
        "sarif",
      ]),
    )
    .option("--lock <file>", "acknowledged differences (default: .oneloop/drift.lock)")
    .action(
      async (
        a: string,
        b: string | undefined,
        { json = false, format = json ? "json" : "text", lock }: Options,
      ) => {
        const { output, exit, session } = createRun(json || format !== "text");
        const { compareFiles, renderersOf } = await import("../drifting.ts");
        const ofWorkspace = async (): Promise<Compared> => {
          if (lock !== undefined || /[./]/.test(a)) throw new Failure("usage", oneSide);
          const opened = await session();
          return renderersOf(await opened.run((api) => api.services.drift.query({ workspace: a })));
        };
        const { report, render } =
          b === undefined ? await ofWorkspace() : await compareFiles({ a, b, lock: lock ?? null });
        if (report.unacknowledgedBreaking > 0) exit(1);
        if (format === "text") output.found(render("text").trimEnd().split("\n"));
        else output.json(JSON.parse(render(format)));
      },
    );
  withExamples(withJson(command), [
    "loop drift devfile.yaml k8s/",
    "loop drift govapp-main-abc      # what it runs, and what it mirrors",
    "loop drift compose.yaml k8s/ --format sarif > drift.sarif",
  ]);
}
