import { unknown } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { SourceModel } from "../../protocol/source-model.ts";
import type { ReadResult } from "../result.ts";
import { Cursor } from "../yaml/cursor.ts";
import type { MapCursor } from "../yaml/cursor.ts";
import type { MapNode } from "../yaml/tree.ts";
import { checkAcross } from "./across.ts";
import { expandApplies, listUnapplied, withoutApplied } from "./applies.ts";
import { readCommands } from "./commands.ts";
import { readComponents } from "./component.ts";
import { checkComposites } from "./composites.ts";
import { expandEvents, readEvents } from "./events.ts";
import { Flattening } from "./flatten.ts";
import type { DevfileDocuments, Flattened, NeededDocument } from "./flatten.ts";
import { readMirror } from "./mirror.ts";
import { neededManifests, objectsBehind } from "./manifest-text.ts";
import type { DevfileContext } from "./model.ts";
import { offeredCommands } from "./offered.ts";
import { readProjects, readStarterProjects } from "./projects.ts";
import { listUnread } from "./unread.ts";
import { replaceVariables } from "./variables.ts";

/** Where a repository's devfile may stand; the first that exists counts. */
export const devfilePaths = [
  "devfile.yaml",
  ".devfile.yaml",
  "devfile.yml",
  ".devfile/devfile.yaml",
] as const;

/**
 * Reads a devfile of schema version 2.0.0 to 2.3.x (https://devfile.io/docs), with its parents and
 * plugins in it. docs/devfile.md says it for users. What is not run is named in `leftOut`, with its
 * line. Pure, and never throws, whatever the text is.
 *
 * @param file How diagnostics name the file: its path in the repository.
 * @param documents The devfiles that it names, and those name: see `neededDocuments`.
 */
export function readDevfile(
  text: string,
  file: string,
  documents: DevfileDocuments = new Map(),
): ReadResult {
  const flattening = new Flattening(documents);
  const flat = flattening.flatten(text, file);
  const model = flat === null ? null : readFlat(flat, flattening, { file, documents });
  const diagnostics = flattening.diagnostics();
  return model === null || flattening.hasErrors
    ? { ok: false, diagnostics }
    : { ok: true, model, warnings: diagnostics };
}

/**
 * The parents and plugins that have to be had before the devfile can be read, beside `documents`,
 * then the files of Kubernetes objects that it names. Whoever fetches them asks again, for they may name others; none: nothing is needed any more.
 */
export function neededDocuments(
  text: string,
  file: string,
  documents: DevfileDocuments,
): NeededDocument[] {
  const flattening = new Flattening(documents);
  const flat = flattening.flatten(text, file);
  if (flat === null || flattening.needed.size > 0) return [...flattening.needed.values()];
  return neededManifests(contentOf(flat, flattening), file, documents);
}

function contentOf({ content, version }: Flattened, { mayHaveVariables }: Flattening): MapNode {
  return mayHaveVariables ? replaceVariables(content, version) : content;
}

function readFlat(
  flat: Flattened,
  flattening: Flattening,
  files: { readonly file: string; readonly documents: DevfileDocuments },
): SourceModel | null {
  const content = contentOf(flat, flattening);
  const top = new Cursor(content, true).map();
  if (top === null) return null;
  const context: DevfileContext = {
    leftOut: [...flat.leftOut],
    objectsBehind: (at, uri) => objectsBehind(at, uri, files),
  };
  const components = readComponents(top, flat.elsewhere, context);
  checkAcross(components);
  const commands = readCommands(top, components, context);
  checkComposites(commands, context);
  const events = readEvents(top, commands, context);
  const projects = readProjects(top, context);
  readStarterProjects(top, context);
  if (flattening.hasErrors) return null;
  const tasks = expandEvents(events, commands);
  const applies = expandApplies(events, commands);
  listUnapplied(commands, applies, context);
  listUnread(top, context.leftOut);
  return {
    format: "devfile",
    name: readName(top),
    services: components.containers.map(({ service }) => service),
    volumes: components.volumes.map(({ volume }) => volume),
    tasks,
    commands: offeredCommands(commands),
    projects,
    images: components.images,
    manifests: withoutApplied(components.manifests, commands),
    applies,
    routes: [],
    policies: [],
    ...readMirror(top),
    leftOut: context.leftOut,
  };
}

function readName(top: MapCursor): Fact<string> {
  const metadata: Cursor | null = top.get("metadata");
  const map = metadata?.map() ?? null;
  const name = map?.get("name") ?? null;
  const text = name?.string() ?? null;
  return name === null || text === null
    ? unknown("The devfile gives no name.", (map ?? top).where)
    : name.fact(text);
}
