import type { DevfileDocument, NeededDocument } from "../sources/devfile/flatten.ts";
import { neededDocuments } from "../sources/devfile/read.ts";
import type { DocumentLocation } from "../sources/devfile/references.ts";
import { deadline } from "../util/deadline.ts";
import { maxDevfileBytes, type Files } from "./configuration.ts";
import type { ConfinedFetch } from "./confined-fetch.ts";

/** The specification's public registry; a devfile that means another names it by `registryUrl`. */
const publicRegistry = "https://registry.devfile.io";

/** For all parents from the network together: the person who opens is told within 5 s. */
const networkTimeoutMs = 4_500;

export interface ParentParts {
  /** Of the repository that has the devfile. */
  readonly files: Files;
  readonly fetch: ConfinedFetch;
}

/**
 * Gets the parents and plugins that a devfile names, and those that these name: files of the
 * repository at its commit, URLs, and devfiles of registries. What cannot be had is in the result
 * with the reason; the reader says it at the line that asks for it.
 */
export async function collectParents(
  { text, path }: { readonly text: string; readonly path: string },
  parts: ParentParts,
  signal: AbortSignal,
): Promise<Map<string, DevfileDocument>> {
  const documents = new Map<string, DevfileDocument>();
  using network = deadline(signal, networkTimeoutMs);
  // Each round gives every needed name an entry; the reader stops asking at a fixed number of them.
  for (;;) {
    const needed = neededDocuments(text, path, documents);
    if (needed.length === 0) return documents;
    const within = { ...parts, signal: network.signal };
    const got = await Promise.all(needed.map((one) => get(one, within)));
    for (const [at, { name }] of needed.entries()) {
      documents.set(name, got[at] ?? { failure: `${name} cannot be had.` });
    }
  }
}

function get(
  { name, location }: NeededDocument,
  { files, fetch, signal }: ParentParts & { readonly signal: AbortSignal },
): Promise<DevfileDocument> {
  if (location.kind === "repository") return readFile(location.path, files);
  return fetch
    .text(urlOf(location), { maxBytes: maxDevfileBytes, signal })
    .then((fetched) =>
      "failure" in fetched && location.kind === "registry"
        ? { failure: `${name} cannot be had: ${fetched.failure}` }
        : fetched,
    );
}

function urlOf(location: Exclude<DocumentLocation, { kind: "repository" }>): string {
  if (location.kind === "url") return location.url;
  const { id, version, registryUrl } = location;
  const stack = [id, ...(version === null ? [] : [version])].map(encodeURIComponent).join("/");
  return `${registryUrl ?? publicRegistry}/devfiles/${stack}`;
}

async function readFile(path: string, files: Files): Promise<DevfileDocument> {
  const [file] = (await files.list([path])).filter(
    (each) => each.kind === "file" && each.path === path,
  );
  if (file === undefined) return { failure: `The repository has no file ${path} at this commit.` };
  const text = (await files.texts([file], maxDevfileBytes)).get(path);
  return text === undefined
    ? { failure: `${path} has ${file.size} bytes; at most ${maxDevfileBytes} are read.` }
    : { text };
}
