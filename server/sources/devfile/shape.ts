import { z } from "zod";
import { didYouMean, nearNames } from "../near-names.ts";
import { wrongType } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import { entryOf, toPlain } from "../yaml/tree.ts";
import type { TreeEntry, TreeNode } from "../yaml/tree.ts";
import { fieldsOfSchema } from "./schema-parts.ts";
import type { Broken } from "./schema-parts.ts";
import type { Version } from "./version.ts";
import { badChoice, badName, kindless, severalKinds } from "./words.ts";

/**
 * Holds a tree to its schema, and reports what does not fit: each mistake at its place, in the file
 * that it stands in. False when there is one.
 */
export function checkShape(
  tree: TreeNode,
  { schema, version }: { schema: z.ZodType; version: Version },
): boolean {
  const result = schema.safeParse(toPlain(tree), { reportInput: false });
  for (const issue of result.error?.issues ?? []) {
    // A key of another version: what may stand beside it is of interest.
    const ofOther = issue.code === "invalid_type" && issue.expected === "never";
    const path = ofOther ? issue.path.slice(0, -1) : issue.path;
    report(issue, { tree, fields: fieldsAt(schema, path), version });
  }
  return result.success;
}

interface Around {
  readonly tree: TreeNode;
  /** What the map at the issue's place may have in some version. */
  readonly fields: ReturnType<typeof fieldsOfSchema>;
  readonly version: Version;
}

function report(issue: z.core.$ZodIssue, around: Around): void {
  const at = find(around.tree, issue.path);
  switch (issue.code) {
    case "unrecognized_keys":
      for (const name of issue.keys) {
        const entry = entryOf(at.node, name);
        if (entry !== undefined) wrongKey(entry, around);
      }
      return;
    case "invalid_type":
      if (issue.expected === "never" && at.entry !== null) {
        wrongKey(at.entry, around);
        return;
      }
      wrongValue(at, words[issue.expected] ?? "something else");
      return;
    case "invalid_value": {
      const value = at.node.kind === "scalar" ? at.node.value : null;
      if (typeof value === "string") say(at, "bad-choice", badChoice(value, issue.values));
      else wrongValue(at, "text");
      return;
    }
    case "invalid_format":
      say(at, "bad-version", `${shown(at)} is no version: write one such as 2.2.0.`);
      return;
    case "custom":
      broken(issue.params as Broken, at);
      return;
    case "too_big":
    case "too_small":
      // Numbers beyond what is counted exactly.
      wrongValue(at, "a whole number");
      return;
    case "not_multiple_of":
    case "invalid_union":
    case "invalid_key":
    case "invalid_element":
      say(at, "wrong-value", `The devfile schema wants something else here: ${issue.message}.`);
  }
}

/** How zod names what it expects. */
const words: Readonly<Record<string, string>> = {
  string: "text",
  boolean: "true or false",
  int: "a whole number",
  number: "a whole number",
  array: "a list",
  object: "a map of keys and values",
  record: "a map of keys and values",
};

function broken(rule: Broken, at: Found): void {
  switch (rule.code) {
    case "bad-name":
      say(at, rule.code, badName(textAt(at), rule.maxChars));
      return;
    case "duplicate-value":
      say(at, rule.code, "A value stands in this list twice: remove one.");
      return;
    case "none-of":
      say(at, `no-${rule.rule.one}-kind`, kindless(rule.rule));
      return;
    case "several-of": {
      const [first, second] = rule.rule.of.flatMap((name) => entryOf(at.node, name) ?? []);
      if (first === undefined || second === undefined) return;
      const key = { node: second.key, entry: null, missing: null };
      say(key, `two-${rule.rule.one}-kinds`, severalKinds(rule.rule.one, first.name, second.name));
    }
  }
}

/** Where a path leads, or where it ends. */
interface Found {
  readonly node: TreeNode;
  /** The entry of which `node` is the value. */
  readonly entry: TreeEntry | null;
  /** The key that `node`, a map, does not have. */
  readonly missing: string | null;
}

function find(tree: TreeNode, path: readonly PropertyKey[]): Found {
  let node = tree;
  let entry: TreeEntry | null = null;
  for (const step of path) {
    if (node.kind === "list" && typeof step === "number") {
      const item = node.items[step];
      if (item === undefined) break;
      node = item;
      entry = null;
      continue;
    }
    const next = entryOf(node, String(step));
    if (next === undefined) return { node, entry, missing: String(step) };
    node = next.value;
    entry = next;
  }
  return { node, entry, missing: null };
}

/** What is worth an example where it is missing. */
const examples: Readonly<Record<string, string>> = {
  image: "node:20",
  id: "build",
  component: "tools",
  commandLine: "npm ci",
  value: '"info"',
  targetPort: "3000",
  kind: "build",
  remotes: "{origin: https://example.org/acme/tool.git}",
  imageName: "registry.example.org/acme/tools:1.2",
  schemaVersion: "2.2.0",
};

function wrongValue(at: Found, wanted: string): void {
  if (at.missing !== null) {
    const example = examples[at.missing] ?? "tools";
    const advice = `add one, such as \`${at.missing}: ${example}\`.`;
    say(at, "missing-key", `The key ${quote(at.missing)} is missing: ${advice}`);
    return;
  }
  const empty = at.node.kind === "scalar" && at.node.value === null;
  if (empty && at.entry !== null) {
    const { name, key } = at.entry;
    const message = `The key ${quote(name)} has no value: give it ${wanted}, or remove it.`;
    say({ node: key, entry: null, missing: null }, "missing-key", message);
    return;
  }
  say(at, "wrong-type", wrongType(at.node, wanted));
}

function wrongKey({ name, key }: TreeEntry, { fields = {}, version }: Around): void {
  const at = { node: key, entry: null, missing: null };
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (field?.since !== undefined || field?.until !== undefined) {
    const { since, until } = field;
    const earlier = until !== undefined;
    say(
      at,
      earlier ? "key-of-earlier-version" : "key-of-later-version",
      earlier
        ? `${quote(name)} ended with schemaVersion ${until.join(".")}: remove it.`
        : `${quote(name)} came with schemaVersion ${(since ?? version).join(".")}: raise schemaVersion.`,
    );
    return;
  }
  const names = Object.keys(fields);
  const known = nearNames(name, names).length > 0 ? didYouMean(name, names) : null;
  const advice = known ?? `; known here: ${names.join(", ")}`;
  say(at, "unknown-key", `The devfile schema has no key ${quote(name)} here${advice}`);
}

function say({ node }: Found, code: string, message: string): void {
  node.source.report(node.written, { severity: "error", code, message });
}

function textAt({ node }: Found): string {
  return node.kind === "scalar" ? String(node.value) : "";
}

function shown(at: Found): string {
  return quote(textAt(at));
}

/** The keys of the map at a place, or of the map around it. */
function fieldsAt(schema: z.ZodType, path: readonly PropertyKey[]): Around["fields"] {
  let at: z.core.$ZodType = schema;
  for (const step of path) {
    const inside: z.core.$ZodType = unwrapped(at);
    if (inside instanceof z.ZodArray) at = inside.element;
    else if (inside instanceof z.ZodObject) {
      const next: z.core.$ZodType | undefined = inside.shape[String(step)];
      if (next === undefined) return undefined;
      at = next;
    } else if (inside instanceof z.ZodRecord) at = inside.valueType;
    else return undefined;
  }
  return fieldsOfSchema(unwrapped(at) as z.ZodType);
}

function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  return schema instanceof z.ZodOptional ? unwrapped(schema.unwrap()) : schema;
}
