import { parseDocuments } from "../sources/yaml/documents.ts";
import { SourceText } from "../sources/yaml/source-text.ts";
import { textOf, valueOf, type TreeNode } from "../sources/yaml/tree.ts";
import { hidden, isSecretName, isSecretOption, isSwitch, type Redactor } from "./redact.ts";

/**
 * A file's lines without what may be a secret: what a report would not show, the data of Kubernetes
 * secrets, and every value that stands beside a secret's name. Lines keep their numbers.
 */
export function hideSecrets(text: string, file: string, redactor: Redactor): string[] {
  const lines = (/\.(?:ya?ml|json)$/i.test(file) ? withoutValues(text, file) : text).split(/\r?\n/);
  return lines.map((line) => {
    // As files of variables have them, and lists of a compose file.
    const [, start = "", name, value] =
      /^(\s*(?:export\s+|-\s+)?["']?([\w.-]+)\s*=\s*)(\S.*)$/.exec(line) ?? [];
    return name === undefined || value === undefined
      ? withoutOptions(redactor.text(line))
      : start + withoutOptions(redactor.value(name, value));
  });
}

/** What follows an option with a secret's name, in a line or in a list. */
function withoutOptions(line: string): string {
  return line.replaceAll(
    /(?<![\w-])(--?[a-z][\w-]*)(["']?(?:\s*,\s*|\s+)["']?)([^\s"',\]]+)/gi,
    (all: string, option: string, between: string) =>
      isSecretOption(option) ? option + between + hidden : all,
  );
}

/** YAML, and JSON which is YAML, with its secret values replaced. */
function withoutValues(given: string, file: string): string {
  const source = new SourceText(given, file);
  const { text } = source;
  const ranges: { start: number; end: number }[] = [];
  for (const { tree, range } of parseDocuments(source)) {
    // What cannot be read may be anything.
    if (tree === null) ranges.push(range);
    else collect(tree, (node) => ranges.push(node.written));
  }
  let shown = "";
  let at = 0;
  for (const { start, end } of ranges.toSorted((one, other) => one.start - other.start)) {
    if (start < at) continue;
    shown += text.slice(at, start) + instead(text.slice(start, end));
    at = end;
  }
  return shown + text.slice(at);
}

/** As many lines as there were. */
function instead(secret: string): string {
  const body = secret.replace(/\s+$/, "");
  const lines = body.split("\n").length;
  return (
    [hidden, ...Array.from({ length: lines - 1 }, () => hidden)].join("\n") +
    secret.slice(body.length)
  );
}

function collect(node: TreeNode, hide: (node: TreeNode) => void): void {
  if (node.kind === "scalar") return;
  if (node.kind === "list") {
    node.items.forEach((item, at) => {
      const before = node.items[at - 1];
      const option = before?.kind === "scalar" ? before.raw : "";
      const follows = option.startsWith("-") && !option.includes("=") && isSecretOption(option);
      if (follows && item.kind === "scalar") hide(item);
      else collect(item, hide);
    });
    return;
  }
  const isSecret = textOf(node, "kind") === "Secret";
  // `{name: DB_PASSWORD, value: …}`, as Kubernetes and devfiles write variables.
  const named = textOf(node, "name");
  const isNamed =
    named !== undefined && isSecretName(named) && valueOf(node, "value") !== undefined;
  for (const { name, value } of node.entries) {
    const data = isSecret && (name === "data" || name === "stringData");
    const beside = isNamed && name === "value";
    if (data) hideAll(value, hide);
    // They only say where a value is.
    else if (/Ref$|^secretName$/.test(name)) continue;
    else if (value.kind === "scalar" && (beside || isSecretName(name))) {
      if (!isSwitch(value.raw)) hide(value);
    } else collect(value, hide);
  }
}

function hideAll(node: TreeNode, hide: (node: TreeNode) => void): void {
  switch (node.kind) {
    case "scalar":
      hide(node);
      break;
    case "list":
      for (const item of node.items) hideAll(item, hide);
      break;
    case "map":
      for (const { value } of node.entries) hideAll(value, hide);
      break;
  }
}
