import type { Detector } from "./finding.ts";
import { compose, dockerfile, make, procfile } from "./files/make.ts";
import { deno } from "./languages/deno.ts";
import { elixir } from "./languages/elixir.ts";
import { go } from "./languages/go.ts";
import { gradle, maven } from "./languages/java.ts";
import { node } from "./languages/node.ts";
import { php } from "./languages/php.ts";
import { python } from "./languages/python.ts";
import { ruby } from "./languages/ruby.ts";
import { rust } from "./languages/rust.ts";

/** All, in their order: of two commands for one purpose, the earlier's is the default. */
export const detectors: readonly Detector[] = [
  ...[node, python, go, rust, ruby, maven, gradle, php, elixir, deno],
  ...[procfile, make, dockerfile, compose],
];

/** Folders that hold no project of this repository's own, or not the one to begin with. */
const passedOver =
  /^(?:\.|_|node_modules$|vendor$|third[_-]?party$|tests?$|testdata$|fixtures$|examples?$|samples?$|docs?$|dist$|build$|target$|e2e$)/i;

/** What goes into a path of a devfile without a sign that means something there. */
const plainFolder = /^[\w][\w.@+-]*$/;

/** More projects below the root are not looked for. */
export const maxFolders = 40;

/** The folders below the root in which projects are looked for, of all that the root has. */
export function searchedFolders(folders: readonly string[]): string[] {
  return folders
    .filter((name) => plainFolder.test(name) && !passedOver.test(name))
    .toSorted()
    .slice(0, maxFolders);
}

const names = new Set(detectors.flatMap(({ marks, reads }) => [...marks, ...reads]));

/** Which files' texts detection reads, of those that are listed. */
export function wantedTexts(paths: readonly string[]): string[] {
  return paths.filter((path) => names.has(path.slice(path.lastIndexOf("/") + 1)));
}
