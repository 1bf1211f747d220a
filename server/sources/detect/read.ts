import type { Place } from "../../protocol/fact.ts";
import type { SourceModel } from "../../protocol/source-model.ts";
import { readDevfile } from "../devfile/read.ts";
import { findProjects } from "./detect.ts";
import { devfileText } from "./devfile-text.ts";
import type { Listing } from "./tree.ts";

/** How the devfile that was found is called where it stands nowhere. */
export const foundFile = "devfile.yaml";

/** What to run for a repository that has no configuration. */
export interface Detected {
  /** A devfile that says the same, with the reasons as comments. */
  readonly text: string;
  /** Its facts' places are the lines of the repository that caused them. */
  readonly model: SourceModel;
  /** `Node.js (package.json)`, one for each project. */
  readonly summary: readonly string[];
}

/**
 * Finds out what a repository is from the files that it has. The model is what the devfile's own
 * reader makes of the text: the two cannot differ.
 *
 * @param name of the repository.
 */
export function detect(listing: Listing, name: string): Detected {
  const found = findProjects(listing);
  const { text, causes } = devfileText(found, name);
  const read = readDevfile(text, foundFile);
  if (!read.ok) {
    // Every word of the text is ours or was checked: a property test holds that this cannot be.
    const [first] = read.diagnostics;
    throw new Error(`The devfile that was found is none: ${first?.line} ${first?.message}`);
  }
  const model = placed(read.model, (line) => causes[line - 1]);
  return {
    text,
    model: { ...model, format: "detected", leftOut: [...model.leftOut, ...found.leftOut] },
    summary: found.projects.map(({ name: what, reason }) => `${what} (${reason.at.file})`),
  };
}

/** The same with the places of the devfile's lines replaced by what caused those. */
function placed<Value>(value: Value, causeOf: (line: number) => Place | undefined): Value {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((one: unknown) => placed(one, causeOf)) as Value;
  if (isPlace(value)) return (causeOf(value.line) ?? value) as Value;
  const entries = Object.entries(value).map(([key, one]) => [key, placed(one, causeOf)] as const);
  return Object.fromEntries(entries) as Value;
}

function isPlace(value: object): value is { file: string; line: number; column: number } {
  return (
    "file" in value && "line" in value && typeof value.line === "number" && value.file === foundFile
  );
}
