import { access, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { Command } from "commander";
import { createRun, withExamples, withJson } from "../action.ts";
import { Failure } from "../failure.ts";

interface Options {
  readonly json?: boolean;
  readonly force?: boolean;
}

export function defineInit(command: Command): void {
  command
    .option("--force", "write over the devfile that is there")
    .action(async ({ json = false, force = false }: Options) => {
      const { output } = createRun(json);
      const folder = resolve(".");
      const { detect } = await import("../../../server/sources/detect/read.ts");
      const { devfilePaths } = await import("../../../server/sources/devfile/read.ts");
      const { readFolder } = await import("../folder.ts");
      const there = await firstThere(folder, devfilePaths);
      if (there !== null && !force) {
        throw new Failure(
          "conflict",
          `There is a ${there} here already. \`loop init --force\` writes ${devfilePaths[0]}.`,
          { status: 1 },
        );
      }
      const { paths, texts } = await readFolder(folder);
      const listing = { paths, texts: new Map(Object.entries(texts)) };
      const { text, summary } = detect(listing, basename(folder) || "root");
      const [file] = devfilePaths;
      await write(join(folder, file), text, force);
      if (json) return output.json({ file, text, summary });
      output.lines([
        `${file}: ${summary.length === 0 ? "nothing was found, so it is a shell with the usual tools" : summary.join(", ")}`,
        "  Read it, change what you like, and commit it.",
      ]);
    });
  withExamples(withJson(command), ["loop init", "loop init --force"]);
}

async function firstThere(folder: string, paths: readonly string[]): Promise<string | null> {
  for (const path of paths) {
    const is = await access(join(folder, path)).then(
      () => true,
      () => false,
    );
    if (is) return path;
  }
  return null;
}

/** Without `force`, what came meanwhile is not written over either. */
async function write(file: string, text: string, force: boolean): Promise<void> {
  try {
    await writeFile(file, text, { flag: force ? "w" : "wx" });
  } catch (error) {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    throw new Failure("usage", `${file} cannot be written (${code}).`, { cause: error });
  }
}
