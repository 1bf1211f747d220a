import { readFile, readdir } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { devfilePaths, neededDocuments, readDevfile } from "../../server/sources/devfile/read.ts";
import { Failure } from "./failure.ts";
import type { Diagnostic } from "./wire.ts";

const devfileFolder = ".devfile";

/** The configurations of the folder that we are in. */
export async function ownConfigurations(): Promise<string[]> {
  const inFolder = await readdir(devfileFolder).catch(() => []);
  const names = new Set(await readdir("."));
  return [
    ...devfilePaths.filter((path) => names.has(path)),
    ...inFolder
      .filter((name) => /(?:^|[.-])devfile\.ya?ml$/.test(name))
      .map((name) => `${devfileFolder}/${name}`)
      .toSorted(),
  ];
}

export interface Validated {
  readonly diagnostics: readonly Diagnostic[];
  /** Parents and plugins that lie elsewhere: only a control plane asks for those. */
  readonly unread: readonly string[];
}

/**
 * What is wrong in a file and in the files of this machine that it takes its parents from.
 *
 * @throws Failure where it cannot be read.
 */
export async function validate(file: string): Promise<Validated> {
  const text = await textOf(file);
  const within = relative(".", resolve(file));
  // What is named relative to it stands below this folder, or else below its own.
  const root = within.startsWith("..") ? dirname(file) : ".";
  const path = relative(root, file);
  const { documents, unread } = await documentsBeside(root, { path, text });
  const read = readDevfile(text, path, documents);
  const diagnostics = read.ok ? read.warnings : read.diagnostics;
  return {
    unread,
    diagnostics: diagnostics.map((one) => ({
      ...one,
      file: one.file === path ? file : join(root, one.file),
    })),
  };
}

/** The parents and plugins of a devfile that lie below `root`, and the names of all others. */
export async function documentsBeside(
  root: string,
  { path, text }: { path: string; text: string },
): Promise<{ documents: Map<string, { text: string } | { failure: string }>; unread: string[] }> {
  const documents = new Map<string, { text: string } | { failure: string }>();
  for (;;) {
    const needed = neededDocuments(text, path, documents);
    const here = needed.filter(({ location }) => location.kind === "repository");
    if (here.length === 0) return { documents, unread: needed.map(({ name }) => name) };
    for (const { name, location } of here) {
      const file = join(root, location.kind === "repository" ? location.path : "");
      documents.set(
        name,
        await readFile(file, "utf8").then(
          (found) => ({ text: found }),
          () => ({ failure: `There is no file ${file} that can be read.` }),
        ),
      );
    }
  }
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    const why =
      code === "ENOENT" ? `There is no file ${file}.` : `${file} cannot be read (${code}).`;
    throw new Failure("usage", why, { cause: error });
  }
}
