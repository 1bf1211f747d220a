import type { EnvValue } from "../../protocol/service.ts";

/** Linux takes no longer environment variable or argument (MAX_ARG_STRLEN). In UTF-16 code units. */
const maxValueChars = 128 * 1024;
/** Secrets and the texts between them: a URL has five. */
const maxParts = 100;

/** A piece of a text: itself, or the variable that it names. */
type Piece = { readonly text: string } | { readonly variable: string };

/**
 * Cuts a text at its variables as Kubernetes does (`third_party/forked/golang/expansion`): `$(NAME)`
 * is one, `$$` a dollar sign, and every other dollar sign itself.
 */
function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const { 0: found, 1: variable, index } of text.matchAll(/\$\$|\$\(([^)]*)\)/g)) {
    pieces.push({ text: text.slice(from, index) });
    pieces.push(variable === undefined ? { text: "$" } : { variable });
    from = index + found.length;
  }
  pieces.push({ text: text.slice(from) });
  return pieces;
}

/** Values of variables that stand before; a name that is not there stays as it is written. */
export type Variables = ReadonlyMap<string, EnvValue>;

/** An environment variable's value with its variables put in. */
export function expandValue(text: string, variables: Variables): EnvValue {
  const parts: Parts = [];
  let chars = 0;
  let secrets = 0;
  for (const piece of piecesOf(text)) {
    const value = "text" in piece ? literal(piece.text) : variables.get(piece.variable);
    if (value === undefined) {
      parts.push({ text: "variable" in piece ? `$(${piece.variable})` : "" });
    } else if (value.kind === "literal") {
      parts.push({ text: value.value });
      chars += value.value.length;
    } else if (value.kind === "secretRef") {
      parts.push({ secret: value.secret, key: value.key });
      secrets += 1;
    } else if (value.kind === "composed") {
      parts.push(...value.parts);
      secrets += value.parts.length;
    } else {
      const name = "variable" in piece ? piece.variable : "";
      return { kind: "unknown", why: `$(${name}) in it is not known.` };
    }
    if (chars > maxValueChars || secrets > maxParts) {
      return { kind: "unknown", why: "With its variables, it is too long for a program." };
    }
  }
  return simplest(joined(parts));
}

/**
 * An argument with the variables put in that are known; `$(NAME)` of another variable stays, for
 * whoever has its value.
 */
export function expandArgument(text: string, variables: Variables): string {
  const parts = piecesOf(text).map((piece) => {
    if ("text" in piece) return piece.text;
    const value = variables.get(piece.variable);
    return value?.kind === "literal" ? value.value : `$(${piece.variable})`;
  });
  return parts.join("");
}

export function literal(value: string): EnvValue {
  return { kind: "literal", value };
}

type Parts = Extract<EnvValue, { kind: "composed" }>["parts"];

/** With neighbouring texts made one. */
function joined(parts: Parts): Parts {
  const result: Parts = [];
  for (const part of parts) {
    const last = result.at(-1);
    if ("text" in part && last !== undefined && "text" in last) last.text += part.text;
    else if (!("text" in part) || part.text !== "") result.push({ ...part });
  }
  return result;
}

function simplest(parts: Parts): EnvValue {
  const [first, second] = parts;
  if (first === undefined) return literal("");
  if (second !== undefined) return { kind: "composed", parts };
  return "text" in first ? literal(first.text) : { kind: "secretRef", ...first };
}
