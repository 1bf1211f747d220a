import type { Command } from "commander";

/** As wide as a terminal: the help is shown as it is printed. */
const helpColumns = 80;

/** `docs/command-line.md`, made of the help that the program prints. */
export function commandLineDocument(program: Command): string {
  return [
    "# The command line",
    "`loop` is in the package: `npx loop` runs it in a checkout, `npm link` makes it a command everywhere. This page is what its own help says; `npx vitest run --project unit test/unit/cli/document.test.ts -u` writes it anew.",
    "Results go to standard output, all else to standard error. Every command that prints data has `--json`. A failure then prints `{error: {code, message, diagnostics}}`; the codes do not change, the sentences may. Exit status: 0 done, 1 the answer is no (a check failed, work would be lost), 2 usage or failure; of `loop ssh`, the command's own.",
    "`--json` of `open`, `show`, `start` and `stop` gives a workspace: `id`, `name`, `state`, `url`, `repository`, `branch`, `ref`, `commit`, `behind`, `work`, `ssh` (`host`, `port`, `user`), `ports` and `services`; `open` and `show` add `events` and `leftOut`. `list` gives an array of them. Keys may be added; none is taken away or changes its meaning.",
    "`ONELOOP_URL` names the control plane for one call; else it is the last login's, and without one this machine's. `ONELOOP_CONFIG_DIR` is where tokens and host keys are kept, `~/.config/oneloop` by default. `NO_COLOR` turns colours off; a pipe gets none.",
    ...sections(program),
    "",
  ]
    .join("\n\n")
    .replace(/\n+$/, "\n");
}

function sections(command: Command): string[] {
  const shown = command
    .createHelp()
    .visibleCommands(command)
    .filter((child) => child.name() !== "help");
  return [
    `## ${pathOf(command)}`,
    `\`\`\`\n${helpOf(command)}\n\`\`\``,
    ...shown.flatMap(sections),
  ];
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** With the examples, which the formatted help alone does not have. */
function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (piece) => (text += piece),
    getOutHelpWidth: () => helpColumns,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return text.trimEnd();
}
