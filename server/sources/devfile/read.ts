import { unknown } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { SourceModel } from "../../protocol/source-model.ts";
import type { ReadResult } from "../result.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { parseYaml } from "../yaml/parse.ts";
import { quote, SourceText } from "../yaml/source-text.ts";
import { checkAcross } from "./across.ts";
import { readCommands } from "./commands.ts";
import { readComponents } from "./component.ts";
import { checkComposites } from "./composites.ts";
import { expandEvents, readEvents } from "./events.ts";
import { checkKeys, topKeys } from "./keys.ts";
import type { Version } from "./keys.ts";
import type { DevfileContext } from "./model.ts";
import { readProjects } from "./projects.ts";
import { listUnread } from "./unread.ts";
import { Variables } from "./variables.ts";

/** Where a repository's devfile may stand; the first that exists counts. */
export const devfilePaths = [
  "devfile.yaml",
  ".devfile.yaml",
  "devfile.yml",
  ".devfile/devfile.yaml",
] as const;

/**
 * Reads a devfile of schema version 2.0.0 to 2.3.x (https://devfile.io/docs). docs/devfile.md says it
 * for users. Container and volume components, `exec` and `composite` commands, events, projects and
 * variables are read; every other part is named in `leftOut`, with its line. Never throws, whatever
 * the text is.
 *
 * @param file How diagnostics name the file: its path in the repository.
 */
export function readDevfile(text: string, file: string): ReadResult {
  const source = new SourceText(text, file);
  const model = readRoot(source);
  const diagnostics = source.diagnostics();
  return model === null || source.hasErrors
    ? { ok: false, diagnostics }
    : { ok: true, model, warnings: diagnostics };
}

function readRoot(source: SourceText): SourceModel | null {
  const root = parseYaml(source);
  if (root === null || root.isNull) {
    if (!source.hasErrors) {
      source.report(
        { start: 0, end: 1 },
        {
          severity: "error",
          code: "empty-file",
          message: "The devfile is empty: begin with `schemaVersion: 2.2.0`, or remove the file.",
        },
      );
    }
    return null;
  }
  const top = root.map();
  if (top === null) return null;
  const version = readVersion(top);
  if (version === null) return null;
  checkKeys(top, topKeys, version);
  const variables = new Variables(top, version);
  const context: DevfileContext = { version, variables, leftOut: [] };
  const components = readComponents(top, context);
  checkAcross(components);
  const commands = readCommands(top, components, context);
  checkComposites(commands, context);
  const events = readEvents(top, commands, context);
  const projects = readProjects(top, context);
  const tasks = source.hasErrors ? [] : expandEvents(events, commands, context);
  listUnread(top, context.leftOut);
  return {
    format: "devfile",
    name: readName(top),
    services: components.containers.map(({ service }) => service),
    volumes: components.volumes.map(({ volume }) => volume),
    tasks,
    projects,
    routes: [],
    policies: [],
    leftOut: context.leftOut,
  };
}

/** Other versions have other keys: nothing else is read then. */
function readVersion(top: MapCursor): Version | null {
  const cursor = top.required("schemaVersion", "2.2.0");
  const text = cursor?.string() ?? null;
  if (cursor === null || text === null) return null;
  const match =
    /^(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?:-[0-9a-z-]+(?:\.[0-9a-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/.exec(
      text,
    );
  const [major, minor, patch] = (match ?? []).slice(1).map(Number);
  if (major === undefined || minor === undefined || patch === undefined) {
    cursor.error("bad-version", `${quote(text)} is no version: write one such as 2.2.0.`);
    return null;
  }
  if (major !== 2 || minor > 3) {
    cursor.error(
      "unsupported-version",
      `Devfiles of version ${quote(text)} are not supported: use 2.0.0 to 2.3.0.`,
    );
    return null;
  }
  return [major, minor, patch];
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
