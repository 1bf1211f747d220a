import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { clean } from "../../../server/protocol/text.ts";
import { createRun, withExamples, withJson } from "../action.ts";
import { Failure, toFailure } from "../failure.ts";
import { askLine, canAsk } from "../ask.ts";
import { askForProfile } from "../first-profile.ts";
import { follow, lastEventOf } from "../follow.ts";
import {
  developOption,
  mirrorOption,
  mirrorRequest,
  type MirrorRequest,
} from "../mirror-options.ts";
import type { Output } from "../output.ts";
import { configurationText } from "../preview-lines.ts";
import { Progress } from "../progress.ts";
import { refreshSshConfig } from "../ssh-config-files.ts";
import { formatDuration } from "../text.ts";
import { behindText, detailJson, placesLines } from "../views.ts";
import type { ConfigurationView } from "../wire.ts";

interface Options {
  readonly json?: boolean;
  readonly wait: boolean;
  readonly devfile?: string;
  readonly configuration?: string;
  readonly mirror?: string;
  readonly develop?: string;
}

export function defineOpen(command: Command): void {
  command
    .argument("<context-url>", "a repository, or a branch, tag, commit or pull request of it")
    .option("--devfile <file>", "a file of this machine, read instead of the repository's devfile")
    .option("--configuration <path>", "one of several of the repository; kept for the next time")
    .option("--mirror <path>", ...mirrorOption)
    .option("--develop <services>", ...developOption)
    .option("--no-wait", "do not wait until it runs")
    .action(async (contextUrl: string, options: Options) => {
      const { json = false, wait, devfile } = options;
      const run = createRun(json);
      const { output } = run;
      const text = devfile === undefined ? null : await readDevfile(devfile);
      const session = await run.session();
      if (!json) await session.run((api) => askForProfile(api, session));
      const began = performance.now();
      const { workspace, existing, detail } = await session.run(async (api) => {
        const { configuration = null } = options;
        const asked = { contextUrl, devfile: text, configuration, ...mirrorRequest(options) };
        const opened = await openOrChoose(asked, { ask: !json && canAsk() }, async (request) => {
          using _asking = new Progress(output, "asking the repository", began);
          try {
            return await api.workspaces.open.mutate(request);
          } catch (error) {
            const failure = toFailure(error, session.url);
            throw devfile === undefined ? failure : inFile(failure, devfile);
          }
        });
        if (!json && opened.configuration?.kind === "found")
          tellFound(opened.configuration, output);
        const { workspace, existing } = opened;
        const { id, name } = workspace;
        output.note(`${existing ? "Your workspace" : "New workspace"} ${name}`);
        if (existing && text !== null) {
          output.note("It was there already: --devfile changes only a new one. Delete it first.");
        }
        if (wait && workspace.state !== "running") {
          const afterEvent = existing ? await lastEventOf(api, id) : 0;
          await follow(api, { id, goal: "running" }, { output, afterEvent, began });
        }
        const detail = await api.workspaces.show.query({ workspace: id });
        if (!existing) await refreshSshConfig(api, session, output);
        return { workspace, existing, detail };
      });
      if (json) return output.json(detailJson(detail));
      const took = formatDuration(performance.now() - began);
      const waited = !existing || workspace.state !== "running";
      const head =
        detail.state === "running" ? (waited ? `ready in ${took}` : "running") : detail.state;
      const behind = existing ? behindText(detail) : null;
      output.lines([
        clean(`${detail.name}: ${head}`),
        ...(behind === null ? [] : [`  ${behind}`]),
        ...placesLines(detail),
      ]);
    });
  withExamples(withJson(command), [
    "loop open https://github.com/acme/govapp",
    "loop open https://github.com/acme/govapp/tree/feat/queue-display",
    "loop open file:///srv/git/govapp.git",
    "loop open https://github.com/acme/govapp --devfile mine.yaml",
    "loop open https://github.com/acme/govapp --configuration devfile.yml",
    "loop open https://github.com/acme/govapp --mirror k8s --develop front-end",
  ]);
}

interface Asked extends MirrorRequest {
  readonly contextUrl: string;
  readonly devfile: string | null;
  readonly configuration: string | null;
}

/** Opens; where several configurations compete, and somebody is there, asks which one counts. */
async function openOrChoose<Opened>(
  asked: Asked,
  { ask }: { ask: boolean },
  open: (request: Asked & { ask: boolean }) => Promise<Opened>,
): Promise<Opened> {
  try {
    return await open({ ...asked, ask });
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "choice-needed") throw error;
    const configuration = await choose(error.diagnostics.map(({ file }) => file));
    return open({ ...asked, configuration, ask: false });
  }
}

async function choose(paths: readonly string[]): Promise<string> {
  const lines = paths.map((path, at) => clean(`  ${at + 1}  ${path}`));
  const question = `This repository has ${paths.length} configurations:\n${lines.join("\n")}\nWhich one counts? It is kept. [1] `;
  const answer = await askLine(question);
  const chosen = paths[answer === "" ? 0 : Number(answer) - 1];
  if (chosen !== undefined) return chosen;
  throw new Failure("usage", `${clean(answer)} is none of them. Nothing was opened.`);
}

/** What was found, with the reasons, before it starts. */
function tellFound(configuration: ConfigurationView, output: Output): void {
  output.note(`Configuration: ${configurationText(configuration)}`);
  for (const line of configuration.text.trimEnd().split("\n").slice(1)) output.note(`  | ${line}`);
  output.note("  `loop init` writes it into the repository's folder.");
}

async function readDevfile(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    throw new Failure(
      "usage",
      code === "ENOENT" ? `There is no file ${file}.` : `${file} cannot be read (${code}).`,
      { cause: error },
    );
  }
}

/** The control plane was given the text alone: its mistakes are the file's that we read. */
function inFile(failure: Failure, file: string): Failure {
  const [first] = failure.diagnostics;
  if (first === undefined) return failure;
  return new Failure(
    failure.code,
    failure.message.replace(first.file, () => file),
    {
      diagnostics: failure.diagnostics.map((diagnostic) => ({ ...diagnostic, file })),
      cause: failure,
    },
  );
}
