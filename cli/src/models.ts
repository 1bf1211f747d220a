import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { dirname, isAbsolute, join, normalize, relative, resolve } from "node:path";
import { promisify } from "node:util";
import { OneloopError } from "../../server/protocol/errors.ts";
import type { SourceModel } from "../../server/protocol/source-model.ts";
import type { KubernetesFile } from "../../server/sources/kubernetes/read.ts";
import { readSource, sourcePath } from "../../server/sources/production.ts";
import type { ReadResult } from "../../server/sources/result.ts";
import { Failure } from "./failure.ts";
import { localFiles } from "./local-files.ts";

const run = promisify(execFile);

/** A rendered cluster of thousands of objects. */
const maxRenderedBytes = 64 * 1024 * 1024;

/**
 * What a file or folder of this machine says of the services that run: a devfile, compose files, a
 * Procfile, Kubernetes objects (a kustomize folder through kubectl).
 *
 * @throws Failure with all mistakes where it cannot be read.
 */
export async function readModel(given: string): Promise<SourceModel> {
  const result = await readHere(normalize(given));
  if (result.ok) return result.model;
  throw new Failure("bad-input", `${given} cannot be read as it is.`, {
    diagnostics: result.diagnostics,
  });
}

/**
 * The same, with all that is wrong in it.
 *
 * @throws Failure where there is nothing that could be read.
 */
export async function readHere(given: string): Promise<ReadResult> {
  const folder = await isFolder(given);
  const { root, path } = placeOf(given, folder ? given : dirname(given));
  try {
    const { result } = await readSource(sourcePath(path), localFiles(root, { cut: true }), {
      prefers: "development",
      render: (below) => renderKustomization(join(root, below)),
      nameOf: (below) => join(root, below),
    });
    return result;
  } catch (error) {
    if (!(error instanceof OneloopError)) throw error;
    // Of a place outside our folder the words name what is in it only.
    const message = folder ? error.message.replace(/^\. has/, () => `${given} has`) : error.message;
    throw new Failure("usage", message, { cause: error });
  }
}

/**
 * What is below this folder is named from here, so that an editor finds it; all else from a folder
 * of its own.
 */
export function placeOf(file: string, otherwise: string): { root: string; path: string } {
  const within = relative(".", resolve(file));
  const outside = within.startsWith("..") || isAbsolute(within);
  return outside
    ? { root: otherwise, path: relative(otherwise, file) || "." }
    : { root: ".", path: within || "." };
}

async function renderKustomization(folder: string): Promise<KubernetesFile[]> {
  try {
    const { stdout } = await run("kubectl", ["kustomize", folder], { maxBuffer: maxRenderedBytes });
    return [{ path: `${folder} (kustomize)`, text: stdout }];
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

/** Whether there is a folder of this machine; whatever else is there, or nothing, is none. */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
