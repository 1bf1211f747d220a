import { access, constants, realpath } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import type { Engine } from "../engine/engine.ts";
import { OneloopError } from "../protocol/errors.ts";
import type { SourceFiles } from "../sources/files.ts";
import { kustomizeFiles } from "../sources/kubernetes/kustomize-files.ts";
import type { KubernetesFile } from "../sources/kubernetes/read.ts";
import { cacheOwner } from "./repository-cache.ts";

/** An overlay of hundreds of objects takes a second. */
const timeoutMs = 30_000;
/** As for every other file of objects. */
const maxRenderedBytes = 4 * 1024 * 1024;
const maxSaidLength = 2000;

/** Nobody's: there is nothing that it could own. */
const nobody = { uid: 65_534, gid: 65_534 };
const kubectl = "/kubectl";
const repository = "/tmp/repository";

/** $1 folder. The files come on standard input, a tar archive as base64. */
const script = `
set -eu
export HOME=/tmp
mkdir ${repository}
base64 -d | tar -x -C ${repository}
exec ${kubectl} kustomize "${repository}/$1"
`;

/**
 * Runs `kubectl kustomize` of this machine where no repository can harm it: in a container without a
 * network, capabilities or a file but those of the folder. A kustomization may name URLs, which are
 * fetched by git, and files anywhere.
 */
export class ConfinedKustomize {
  readonly #engine: Pick<Engine, "runJob">;
  readonly #path: string;

  /** @param path where programs are looked for; by default this process's `PATH`. */
  constructor(engine: Pick<Engine, "runJob">, path: string = process.env["PATH"] ?? "") {
    this.#engine = engine;
    this.#path = path;
  }

  /** What puts the folders of these files together, see `SourceReading.render`. */
  of(
    files: SourceFiles,
    signal: AbortSignal,
  ): (folder: string) => Promise<readonly KubernetesFile[]> {
    return (folder) => this.#render(folder, files, signal);
  }

  /** @throws OneloopError `plan-impossible` with kubectl's words, or where there is no kubectl */
  async #render(
    folder: string,
    files: SourceFiles,
    signal: AbortSignal,
  ): Promise<readonly KubernetesFile[]> {
    const [hostPath, texts] = await Promise.all([
      findProgram("kubectl", this.#path),
      kustomizeFiles(folder, files),
    ]);
    if (hostPath === null) {
      throw new OneloopError(
        "plan-impossible",
        `${folder} is put together by kustomize, and the control plane's machine has no kubectl. Install it there, or write the objects to a file of the repository (\`kubectl kustomize ${folder} > mirror.yaml\`), and name that: mirror.yaml.`,
      );
    }
    const { exitCode, stdout, stderr } = await this.#engine.runJob(
      {
        owner: cacheOwner,
        name: "kustomize",
        image: "helper",
        command: ["sh", "-c", script, "kustomize", folder],
        user: nobody,
        mounts: [{ kind: "host", hostPath, path: kubectl }],
        maxOutputBytes: maxRenderedBytes + 1,
        timeoutMs,
        input: (await archiveOf(texts)).toString("base64"),
      },
      { signal },
    );
    if (exitCode !== 0) {
      const said = stderr.replaceAll(`${repository}/`, "").trim().slice(0, maxSaidLength);
      throw new OneloopError(
        "plan-impossible",
        `${folder} cannot be put together (it is done without a network): ${said}`,
      );
    }
    if (Buffer.byteLength(stdout) > maxRenderedBytes) {
      throw new OneloopError(
        "plan-impossible",
        `${folder} makes more than ${maxRenderedBytes} bytes of objects. Name a smaller part of it.`,
      );
    }
    return [{ path: `${folder} (kustomize)`, text: stdout }];
  }
}

function archiveOf(texts: ReadonlyMap<string, string>): Promise<Buffer> {
  const archive = pack();
  for (const [name, text] of texts) archive.entry({ name, mode: 0o644 }, text);
  archive.finalize();
  return buffer(archive);
}

/** A program's real path, which the engine can mount; null where there is none. */
async function findProgram(name: string, path: string): Promise<string | null> {
  for (const folder of path.split(delimiter)) {
    const program = join(folder, name);
    try {
      await access(program, constants.X_OK);
      return await realpath(program);
    } catch {
      continue;
    }
  }
  return null;
}
