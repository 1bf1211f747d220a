import type { Command } from "commander";
import { createRun, withExamples, withJson } from "../action.ts";
import type { Api } from "../api.ts";
import { isFolder, readFolder } from "../folder.ts";
import {
  developOption,
  mirrorOption,
  mirrorRequest,
  type MirrorRequest,
} from "../mirror-options.ts";
import { previewLines } from "../preview-lines.ts";
import { Progress } from "../progress.ts";
import type { Preview } from "../wire.ts";

interface Options {
  readonly json?: boolean;
  readonly configuration?: string;
  readonly mirror?: string;
  readonly develop?: string;
}

export function definePlan(command: Command): void {
  command
    .argument("<context-url>", "a repository as for open, or a folder of this machine")
    .option("--configuration <path>", "one of several configurations of the repository")
    .option("--mirror <path>", ...mirrorOption)
    .option("--develop <services>", ...developOption)
    .action(async (target: string, { json = false, configuration, ...options }: Options) => {
      const { output, session } = createRun(json);
      const opened = await session();
      const began = performance.now();
      const preview = await opened.run(async (api) => {
        using _asking = new Progress(output, "asking what would run", began);
        const request = { configuration: configuration ?? null, ...mirrorRequest(options) };
        return previewOf(api, target, request);
      });
      if (json) output.json(preview);
      else output.lines(previewLines(preview));
    });
  withExamples(withJson(command), [
    "loop plan https://github.com/acme/govapp",
    "loop plan .",
    "loop plan . --mirror k8s",
    "loop plan . --json | jq -r '.configuration.text'",
  ]);
}

async function previewOf(
  api: Api,
  target: string,
  request: MirrorRequest & { readonly configuration: string | null },
): Promise<Preview> {
  if (!(await isFolder(target))) {
    return api.workspaces.preview.mutate({ contextUrl: target, ...request });
  }
  const files = await readFolder(target, request.mirror);
  return api.workspaces.previewFolder.mutate({ files, ...request });
}
