import { Copy, Arg, Env, From, ModifiableInstruction, Run } from "dockerfile-ast";
import type { Instruction } from "dockerfile-ast";
import type { SourceText } from "../yaml/source-text.ts";
import type { Lines } from "./read.ts";

/** `line` is 1-based. `text` is the instruction as it stands there. */
export type DockerfileInstruction =
  /** A program: a line for the image's shell, or an argument vector. */
  | {
      readonly kind: "run";
      readonly command: string | readonly string[];
      readonly text: string;
      readonly line: number;
    }
  | {
      readonly kind: "arg";
      readonly name: string;
      /** Unquoted, with its variables; null: no default. */
      readonly value: string | null;
      readonly text: string;
      readonly line: number;
    }
  /** Takes files: from the build's context where `from` is null, else from a stage or an image. */
  | {
      readonly kind: "copy";
      readonly from: string | null;
      readonly text: string;
      /** The text with another name behind `--from=`. */
      readonly withFrom: (name: string) => string;
      /** As written, with variables: what is taken, and, last, where it goes. */
      readonly operands: readonly string[];
      /** As written: who owns it there; null: root. */
      readonly chown: string | null;
      /** ADD unpacks archives. */
      readonly unpacks: boolean;
      readonly line: number;
    }
  /** Changes only what the image says of itself. */
  | {
      readonly kind: "setting";
      readonly keyword: string;
      readonly text: string;
      /** Of ENV: names and values, unquoted, with variables. Of WORKDIR: the folder, so. */
      readonly variables?: readonly (readonly [string, string])[];
      readonly folder?: string;
      readonly line: number;
    };

type Read =
  | DockerfileInstruction
  | {
      readonly kind: "from";
      readonly stage: { readonly name: string | null; readonly from: string };
      readonly line: number;
    };

/** What the classic form of the language has (BuildKit's own flags are looked at where they stand). */
const settings: ReadonlySet<string> = new Set([
  ...["CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "SHELL"],
  ...["STOPSIGNAL", "USER", "VOLUME", "WORKDIR"],
]);

interface Context {
  readonly source: SourceText;
  readonly lines: Lines;
  readonly escape: string;
}

/** Null where it is reported. */
export function instructionOf(node: Instruction, context: Context): Read | null {
  const { lines } = context;
  const keyword = node.getKeyword().toUpperCase();
  const text = lines.slice(node.getRange());
  const line = node.getRange().start.line + 1;
  const refuse = (code: string, message: string): null => {
    context.source.report(lines.range(node.getRange()), { severity: "error", code, message });
    return null;
  };
  if (node instanceof From) {
    const from = node.getImage();
    if (from === null)
      return refuse("no-image", "FROM names no image: write one, such as node:20.");
    return { kind: "from", stage: { name: node.getBuildStage(), from }, line };
  }
  if (node instanceof Run) return runOf(node, { ...context, text, line, refuse });
  if (node instanceof Arg) {
    const property = node.getProperty();
    if (property === null) return refuse("no-name", "ARG names no argument.");
    return { kind: "arg", name: property.getName(), value: property.getValue(), text, line };
  }
  if (keyword === "COPY" || keyword === "ADD")
    return copyOf(node, { ...context, text, line, refuse });
  if (keyword === "ONBUILD") {
    return refuse(
      "onbuild",
      "Triggers of ONBUILD would run in builds of others, outside of this workspace's rules: remove the line.",
    );
  }
  if (settings.has(keyword)) {
    return { kind: "setting", keyword, text, line, ...settingOf(node, keyword, context.escape) };
  }
  return refuse(
    "unknown-instruction",
    `${keyword.slice(0, 30)} is no instruction of a Dockerfile.`,
  );
}

/** What later paths depend on. */
function settingOf(
  node: Instruction,
  keyword: string,
  escape: string,
): Pick<DockerfileInstruction & { kind: "setting" }, "variables" | "folder"> {
  if (keyword === "WORKDIR") {
    const folder = oneLine(node.getRawArgumentsContent() ?? "", escape).trim();
    return { folder: folder.replace(/^(["'])(.*)\1$/, "$2") };
  }
  if (!(node instanceof Env)) return {};
  return {
    variables: node
      .getProperties()
      .map((property) => [property.getName(), property.getValue() ?? ""] as const),
  };
}

interface Reading {
  readonly text: string;
  readonly line: number;
  readonly refuse: (code: string, message: string) => null;
}

/** Mounts of BuildKit that a build can do without: what they hold is only faster, or empty. */
const spareMounts = /^type=(cache|tmpfs)(,|$)/;

function runOf(
  node: Run,
  { text, line, refuse, escape }: Reading & Pick<Context, "escape">,
): Read | null {
  for (const flag of node.getFlags()) {
    const value = flag.getValue() ?? "";
    if (flag.getName() === "mount" && spareMounts.test(value)) continue;
    if (flag.getName() === "network" && value === "default") continue;
    return refuse(
      "run-flag",
      `RUN --${flag.getName()} is BuildKit's, which runs outside of a workspace's rules: do it without.`,
    );
  }
  const content = heredoc(text) ?? oneLine(withoutFlags(text), escape);
  if (content.trim() === "") return refuse("no-command", "RUN has no command.");
  return { kind: "run", command: vectorOf(content) ?? content, text, line };
}

function withoutFlags(text: string): string {
  return text.replace(/^\s*RUN\s+/i, "").replace(/^(--\S+\s+)+/, "");
}

/** Lines that an escape joins are one; lines of comment, and empty ones, between them are none. */
function oneLine(text: string, escape: string): string {
  return text
    .split(/\r?\n/)
    .filter((line, index) => index === 0 || !/^\s*(#|$)/.test(line))
    .map((line) => {
      const kept = line.trimEnd();
      return kept.endsWith(escape) ? kept.slice(0, -1) : line;
    })
    .join("");
}

/** A here-document alone is the script; behind a command it is that command's input, as in a shell. */
function heredoc(text: string): string | null {
  if (!/<<-?["']?\w/.test(text)) return null;
  const command = withoutFlags(text);
  const alone = /^<<(-?)["']?(\w+)["']?[ \t]*\r?\n([^]*)$/.exec(command);
  if (alone === null) return command;
  const [, tabs, name = "", body = ""] = alone;
  const lines = body.split(/\r?\n/);
  const end = lines.findIndex((one) => (tabs === "-" ? one.replace(/^\t+/, "") : one) === name);
  return lines.slice(0, end === -1 ? undefined : end).join("\n");
}

/** The exec form; what begins like it and is no JSON is a line for the shell, as in the engine's own. */
function vectorOf(content: string): string[] | null {
  if (!content.trimStart().startsWith("[")) return null;
  try {
    const parsed: unknown = JSON.parse(content);
    if (!Array.isArray(parsed) || parsed.length === 0) return null;
    return parsed.every((one) => typeof one === "string") ? parsed : null;
  } catch {
    return null;
  }
}

function copyOf(
  node: Instruction,
  { lines, text, line, refuse, escape }: Reading & Pick<Context, "lines" | "escape">,
): Read | null {
  if (/<<-?["']?\w/.test(text)) {
    return refuse(
      "copy-heredoc",
      "A here-document of COPY is BuildKit's: put the text into a file.",
    );
  }
  const flags = node instanceof ModifiableInstruction ? node.getFlags() : [];
  const unknown = flags.find((flag) => !["from", "chown", "chmod"].includes(flag.getName()));
  const chmod = flags.find((flag) => flag.getName() === "chmod");
  if (unknown !== undefined || chmod !== undefined) {
    const name = (unknown ?? chmod)?.getName() ?? "";
    return refuse("copy-flag", `--${name} is BuildKit's: do it with a RUN behind it.`);
  }
  if (node.getKeyword().toUpperCase() === "ADD" && /\b(https?|git|ssh):\/\/|\bgit@/i.test(text)) {
    return refuse(
      "add-url",
      "The engine itself would fetch this, outside of a workspace's rules: use RUN with curl or git.",
    );
  }
  const from = flags.find((flag) => flag.getName() === "from") ?? null;
  const at = from?.getValueRange() ?? null;
  const start = lines.range(node.getRange()).start;
  const withFrom = (name: string): string => {
    if (at === null) return text;
    const value = lines.range(at);
    return text.slice(0, value.start - start) + name + text.slice(value.end - start);
  };
  return {
    kind: "copy",
    from: node instanceof Copy ? (from?.getValue() ?? null) : null,
    text,
    withFrom,
    operands: operandsOf(node, escape),
    chown: flags.find((flag) => flag.getName() === "chown")?.getValue() ?? null,
    unpacks: node.getKeyword().toUpperCase() === "ADD",
    line,
  };
}

function operandsOf(node: Instruction, escape: string): string[] {
  const content = oneLine(node.getRawArgumentsContent() ?? "", escape);
  const listed = vectorOf(content.replace(/^(--\S+\s+)+/, ""));
  return listed ?? node.getArguments().map((one) => one.getValue());
}
