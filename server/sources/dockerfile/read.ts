import { DockerfileParser } from "dockerfile-ast";
import type { Diagnostic } from "../../protocol/errors.ts";
import { SourceText } from "../yaml/source-text.ts";
import { instructionOf, type DockerfileInstruction } from "./instruction.ts";

/** From one FROM to the next. */
export interface DockerfileStage {
  readonly name: string | null;
  /** An image, or the name of a stage before; variables of `globals` may stand in it. */
  readonly from: string;
  readonly line: number;
  readonly instructions: readonly DockerfileInstruction[];
}

export interface Dockerfile {
  /** The character that joins lines, from the directive `# escape=`. */
  readonly escape: string;
  /** What ARG says before the first FROM; null: no default. */
  readonly globals: readonly { readonly name: string; readonly value: string | null }[];
  readonly stages: readonly DockerfileStage[];
}

export type DockerfileResult =
  | { readonly ok: true; readonly dockerfile: Dockerfile }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Far above every real Dockerfile; a parser of regular size reads it in milliseconds. */
const maxChars = 256 * 1024;

/**
 * Reads a Dockerfile (https://docs.docker.com/reference/dockerfile/) as far as a build needs it step
 * by step: the stages, which instructions run programs, and which take files from where. What cannot
 * be built confined (a URL that the engine itself would fetch, triggers of ONBUILD, BuildKit's
 * mounts of secrets) is an error with its place. Never throws, whatever the text is.
 *
 * @param file how diagnostics name the file: its path in the repository.
 */
export function readDockerfile(text: string, file: string): DockerfileResult {
  const source = new SourceText(text, file);
  const fail = (): DockerfileResult => ({ ok: false, diagnostics: source.diagnostics() });
  if (source.text.length > maxChars) {
    source.report(
      { start: 0, end: 1 },
      {
        severity: "error",
        code: "too-large",
        message: `The Dockerfile has over ${maxChars / 1024} KiB: make it smaller.`,
      },
    );
    return fail();
  }
  const parsed = DockerfileParser.parse(source.text);
  const lines = new Lines(source.text);
  const escape = parsed.getEscapeCharacter();
  const globals: { name: string; value: string | null }[] = [];
  const stages: (DockerfileStage & { instructions: DockerfileInstruction[] })[] = [];
  for (const node of parsed.getInstructions()) {
    const read = instructionOf(node, { source, lines, escape });
    if (read === null) continue;
    const stage = stages.at(-1);
    if (read.kind === "from") {
      stages.push({ ...read.stage, line: read.line, instructions: [] });
    } else if (stage !== undefined) stage.instructions.push(read);
    else if (read.kind === "arg") globals.push({ name: read.name, value: read.value });
    else {
      source.report(lines.range(node.getRange()), {
        severity: "error",
        code: "no-from",
        message: "A Dockerfile begins with FROM; only ARG may stand before it.",
      });
    }
  }
  if (stages.length === 0 && !source.hasErrors) {
    source.report(
      { start: 0, end: 1 },
      {
        severity: "error",
        code: "no-from",
        message: "There is no FROM: write the image that this one builds on, such as FROM node:20.",
      },
    );
  }
  if (source.hasErrors) return fail();
  return { ok: true, dockerfile: { escape, globals, stages } };
}

interface Position {
  readonly line: number;
  readonly character: number;
}

/** From the parser's lines and characters, both from 0, to offsets. */
export class Lines {
  readonly text: string;
  readonly #starts: number[] = [0];

  constructor(text: string) {
    this.text = text;
    for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) {
      this.#starts.push(at + 1);
    }
  }

  range({ start, end }: { start: Position; end: Position }): { start: number; end: number } {
    return { start: this.#offset(start), end: this.#offset(end) };
  }

  slice(range: { start: Position; end: Position }): string {
    const { start, end } = this.range(range);
    return this.text.slice(start, end);
  }

  #offset({ line, character }: Position): number {
    return (this.#starts[line] ?? this.text.length) + character;
  }
}
