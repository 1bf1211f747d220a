import { Option, type Command } from "commander";
import { createRun, withExamples, withJson } from "../action.ts";

interface Options {
  readonly json?: boolean;
  readonly format?: "text" | "json" | "sarif";
  readonly lock?: string;
}

export function defineDrift(command: Command): void {
  command
    .argument("<a>", "a devfile, compose file, Procfile, manifest, or a folder with one of them")
    .argument("<b>", "what it is compared with, such as k8s/")
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
        b: string,
        { json = false, format = json ? "json" : "text", lock }: Options,
      ) => {
        const { output, exit } = createRun(json || format !== "text");
        const { compareFiles } = await import("../drifting.ts");
        const { report, render } = await compareFiles({ a, b, lock: lock ?? null });
        if (report.unacknowledgedBreaking > 0) exit(1);
        if (format === "text") output.found(render("text").trimEnd().split("\n"));
        else output.json(JSON.parse(render(format)));
      },
    );
  withExamples(withJson(command), [
    "loop drift devfile.yaml k8s/",
    "loop drift compose.yaml k8s/ --format sarif > drift.sarif",
  ]);
}
