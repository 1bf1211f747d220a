import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, normalize, relative, resolve } from "node:path";
import { promisify } from "node:util";
import type { SourceModel } from "../../server/protocol/source-model.ts";
import { composePaths, defaultComposeFiles } from "../../server/sources/compose/paths.ts";
import { readCompose } from "../../server/sources/compose/read.ts";
import { devfilePaths, readDevfile } from "../../server/sources/devfile/read.ts";
import { herokuPaths, readHeroku } from "../../server/sources/heroku/read.ts";
import { isKustomization } from "../../server/sources/kubernetes/kustomize.ts";
import { readKubernetes } from "../../server/sources/kubernetes/read.ts";
import type { ReadResult } from "../../server/sources/result.ts";
import { Failure } from "./failure.ts";
import { documentsBeside } from "./validating.ts";

const run = promisify(execFile);

/** A folder of manifests has some dozens; one of a whole repository is not meant. */
const maxFiles = 2000;
const maxDepth = 6;
const skipped: ReadonlySet<string> = new Set([".git", "node_modules"]);
const kustomizationNames = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
/** A rendered cluster of thousands of objects. */
const maxRenderedBytes = 64 * 1024 * 1024;

/**
 * What a file or folder of this machine says of the services that run: a devfile, compose files, a
 * Procfile, Kubernetes objects (a kustomize folder through kubectl).
 *
 * @throws Failure with all mistakes where it cannot be read.
 */
export async function readModel(given: string): Promise<SourceModel> {
  const path = normalize(given);
  const result = (await isFolder(path)) ? await readFolder(path) : await readOneFile(path);
  if (result.ok) return result.model;
  throw new Failure("bad-input", `${given} cannot be read as it is.`, {
    diagnostics: result.diagnostics,
  });
}

async function readFolder(folder: string): Promise<ReadResult> {
  const names = new Set(await readdir(folder));
  const kustomization = kustomizationNames.find((name) => names.has(name));
  if (kustomization !== undefined) return renderKustomization(folder, kustomization);
  const devfile = devfilePaths.find((path) => names.has(path));
  if (devfile !== undefined) return readOneFile(join(folder, devfile));
  const { root, path } = placeOf(folder, folder);
  const compose = defaultComposeFiles(path, below(root));
  if (compose.length > 0) return readCompose(compose, { read: below(root) });
  if (names.has(herokuPaths[0])) return readHeroku(below(folder));
  const files = await manifests(folder);
  if (files.length > 0) return readKubernetes(files);
  throw new Failure(
    "usage",
    `${folder} has no devfile, compose file, Procfile or Kubernetes object. Name a file, or another folder.`,
  );
}

async function readOneFile(file: string): Promise<ReadResult> {
  const name = basename(file);
  if ((herokuPaths as readonly string[]).includes(name)) return readHeroku(below(dirname(file)));
  const text = await textOf(file);
  const { root, path } = placeOf(file, dirname(file));
  if (/^\s*"?schemaVersion"?\s*:/m.test(text)) {
    const { documents } = await documentsBeside(root, { path, text });
    return readDevfile(text, path, documents);
  }
  const isCompose = (composePaths as readonly string[]).includes(name);
  if (isCompose || (/^services\s*:/m.test(text) && !/^apiVersion\s*:/m.test(text))) {
    return readCompose([path], { read: below(root) });
  }
  return readKubernetes([{ path: file, text }]);
}

/**
 * What is below this folder is named from here, so that an editor finds it; all else from a folder
 * of its own.
 */
function placeOf(file: string, otherwise: string): { root: string; path: string } {
  const within = relative(".", resolve(file));
  const outside = within.startsWith("..") || isAbsolute(within);
  return outside
    ? { root: otherwise, path: relative(otherwise, file) || "." }
    : { root: ".", path: within || "." };
}

/** Below a folder of ours: what a file may name, and nothing outside. */
function below(root: string): (path: string) => string | null {
  return (path) => {
    try {
      return readFileSync(join(root, path), "utf8");
    } catch {
      return null;
    }
  };
}

async function manifests(folder: string): Promise<{ path: string; text: string }[]> {
  const found: string[] = [];
  const walk = async (path: string, depth: number): Promise<void> => {
    for (const entry of await readdir(path, { withFileTypes: true })) {
      const child = join(path, entry.name);
      if (entry.isDirectory() && depth < maxDepth && !skipped.has(entry.name)) {
        await walk(child, depth + 1);
      } else if (entry.isFile() && /\.(ya?ml|json)$/.test(entry.name)) found.push(child);
      if (found.length > maxFiles) {
        throw new Failure(
          "usage",
          `${folder} has over ${maxFiles} files: name the one with the objects.`,
        );
      }
    }
  };
  await walk(folder, 0);
  const texts = await Promise.all(
    found.toSorted().map(async (path) => ({ path, text: await textOf(path) })),
  );
  // A chart's values and a package's settings are no objects.
  return texts.filter(({ text }) => /^\s*"?(apiVersion|kind)"?\s*:/m.test(text));
}

async function renderKustomization(folder: string, name: string): Promise<ReadResult> {
  if (!isKustomization(await textOf(join(folder, name)))) {
    return readKubernetes(await manifests(folder));
  }
  try {
    const { stdout } = await run("kubectl", ["kustomize", folder], { maxBuffer: maxRenderedBytes });
    return readKubernetes([{ path: `${folder} (kustomize)`, text: stdout }]);
  } catch (error) {
    const { code, stderr = "" } = error as { code?: unknown; stderr?: string };
    throw new Failure(
      "usage",
      code === "ENOENT"
        ? `${folder} is put together by kustomize, and kubectl is not here. Install it, or write the objects to a file elsewhere (\`kubectl kustomize\`) and name that.`
        : `kubectl kustomize ${folder}: ${stderr.trim()}`,
      { cause: error },
    );
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code = "unknown" } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? `There is no ${path}.` : `${path} cannot be read (${code}).`;
    throw new Failure("usage", why, { cause: error });
  }
}
