import { type Command, Option } from "commander";
import { createRun, withExamples, withJson } from "../action.ts";
import { version } from "../root.ts";

interface Options {
  readonly json?: boolean;
  readonly format: "text" | "sarif";
}

export function defineValidate(command: Command): void {
  command
    .argument(
      "[file...]",
      "devfiles, compose files, Procfiles, Kubernetes objects, or folders; without one, this folder",
    )
    .addOption(
      new Option("--format <format>", "lines of text, or SARIF 2.1.0 for a code host")
        .choices(["text", "sarif"])
        .default("text"),
    )
    .action(async (named: string[], { json = false, format }: Options) => {
      const { output, exit } = createRun(json);
      const { validate } = await import("../validating.ts");
      const validated = await Promise.all((named.length > 0 ? named : ["."]).map(validate));
      const files = validated.flatMap((one) => one.files);
      const diagnostics = validated.flatMap((one) => one.diagnostics);
      if (diagnostics.some(({ severity }) => severity === "error")) exit(1);
      for (const name of validated.flatMap(({ unread }) => unread)) {
        output.note(`${name} lies elsewhere, and was not read: \`loop plan\` asks for it.`);
      }
      if (json) return output.json({ files, diagnostics });
      if (format === "sarif") {
        const { sarif } = await import("../sarif.ts");
        return output.json(sarif(diagnostics, version()));
      }
      const { formatDiagnostic } = await import("../../../server/protocol/errors.ts");
      output.found(
        diagnostics.flatMap((diagnostic) => {
          const [head = "", ...excerpt] = formatDiagnostic(diagnostic).split("\n");
          const warning = diagnostic.severity === "warning" ? " (a warning)" : "";
          return [`${head}${warning}`, ...excerpt];
        }),
      );
      const count = diagnostics.filter(({ severity }) => severity === "error").length;
      if (count === 0) output.note(`${files.join(", ")}: no mistakes.`);
    });
  withExamples(withJson(command), [
    "loop validate",
    "loop validate devfile.yaml compose.yaml k8s/",
    "loop validate --format sarif > oneloop.sarif",
  ]);
}
