import { didYouMean } from "../near-names.ts";
import { parseQuantity } from "../quantity.ts";
import { quote } from "../yaml/source-text.ts";
import type { ApiObject } from "./object.ts";
import type { Fields, Shape } from "./shape.ts";
import { intOf, isPlain, join, Value } from "./value.ts";

/** What YAML 1.1 takes for true and false, and with it the API's own reader. */
const oldBooleans = /^(?:y|yes|no|n|on|off)$/i;

/**
 * Holds a part of an object to its shape, as the API's strict decoding does: unknown fields, wrong
 * types, missing values, values that no list has, names given twice. What is known and not read is
 * listed.
 */
export function check(object: ApiObject, shape: Shape, value: Value = object.root): void {
  const { node } = value;
  switch (shape.is) {
    case "anything":
      return;
    case "object":
      if (node.kind === "map") checkFields(object, shape.fields, value);
      else wrongType(object, value, "an object");
      return;
    case "map":
      if (node.kind !== "map") return wrongType(object, value, "a map");
      for (const entry of value.entries) check(object, shape.of, entry.value);
      return;
    case "list":
      if (node.kind !== "list") return wrongType(object, value, "a list");
      for (const item of value.list) check(object, shape.of, item);
      if (shape.unique !== null) checkUnique(object, shape.unique, value.list);
      return;
    case "choice":
      checkChoice(object, shape.of, value);
      return;
    case "text":
    case "bool":
    case "int":
    case "quantity":
    case "int-or-text":
      checkScalar(object, shape.is, value);
  }
}

function checkFields(object: ApiObject, fields: Fields, value: Value): void {
  for (const { name, key, value: child } of value.entries) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (field === undefined) {
      unknownField(object, { fields, name }, key);
      continue;
    }
    check(object, field.shape, child);
    if (field.unread === null || isEmpty(child) || child.raw === field.usual) continue;
    object.leave(key, field.unread);
  }
  for (const name of requiredOf(fields)) {
    // To the API an empty text is an absent one.
    if (value.get(name) !== null && value.text(name) !== "") continue;
    const at = new Value(value.node, join(value.path, name));
    object.refuse(at, "required-value", "Required value.");
  }
}

const required = new WeakMap<Fields, readonly string[]>();

/** The names of those that must be there: of a hundred that a container has, one. */
function requiredOf(fields: Fields): readonly string[] {
  let names = required.get(fields);
  if (names === undefined) {
    names = Object.keys(fields).filter((name) => fields[name]?.required === true);
    required.set(fields, names);
  }
  return names;
}

function unknownField(
  object: ApiObject,
  { fields, name }: { fields: Fields; name: string },
  key: Value,
): void {
  const inside = Object.entries(fields).find(([, { shape }]) => {
    const inner = shape.is === "list" ? shape.of : shape;
    return inner.is === "object" && Object.hasOwn(inner.fields, name);
  });
  const advice =
    inside === undefined
      ? didYouMean(name, Object.keys(fields))
      : `: ${quote(name)} stands inside ${quote(inside[0])}, not beside it`;
  object.broken = true;
  key.node.source.report(key.node.written, {
    severity: "error",
    code: "unknown-field",
    message: `${object.label}: unknown field ${quote(key.path)}${advice}.`,
  });
}

function checkUnique(object: ApiObject, key: string, items: readonly Value[]): void {
  const seen = new Set<string>();
  for (const item of items) {
    const value = item.get(key);
    const name = item.text(key);
    if (value === null || name === null) continue;
    if (seen.has(name)) object.refuse(value, "duplicate-value", `Duplicate value: ${quote(name)}.`);
    seen.add(name);
  }
}

function checkChoice(object: ApiObject, of: readonly string[], value: Value): void {
  if (!checkScalar(object, "text", value) || value.raw === "" || of.includes(value.raw)) return;
  const supported = of.map((each) => JSON.stringify(each)).join(", ");
  object.refuse(
    value,
    "unsupported-value",
    `Unsupported value: ${quote(value.raw)}: supported values: ${supported}.`,
  );
}

/** Whether the value fits. */
function checkScalar(
  object: ApiObject,
  type: "text" | "bool" | "int" | "quantity" | "int-or-text",
  value: Value,
): boolean {
  const { scalar, raw, node } = value;
  const oldBoolean = isPlain(node) && oldBooleans.test(raw) && typeof scalar === "string";
  switch (type) {
    case "text":
      if (typeof scalar === "string" && !oldBoolean) return checkCharacters(object, value, scalar);
      wrongType(object, value, "text");
      return false;
    case "bool":
      if (typeof scalar === "boolean" || oldBoolean) return true;
      wrongType(object, value, "true or false");
      return false;
    case "int":
      if (intOf(node) !== null) return true;
      wrongType(object, value, "a whole number");
      return false;
    case "int-or-text":
      if (intOf(node) !== null || (typeof scalar === "string" && !oldBoolean)) return true;
      wrongType(object, value, "a whole number or text");
      return false;
    case "quantity":
      if (node.kind === "scalar" && typeof scalar !== "boolean" && parseQuantity(raw) !== null) {
        return true;
      }
      object.refuse(
        value,
        "invalid-value",
        `Invalid value: ${quote(raw)}: quantities are numbers such as 500m, 0.5, 128Mi or 1G.`,
      );
      return false;
  }
}

/** What no environment, argument vector or database can hold. */
function checkCharacters(object: ApiObject, value: Value, text: string): boolean {
  if (!/[\0\p{Surrogate}]/u.test(text)) return true;
  object.refuse(value, "bad-character", "This text has a NUL or half a character in it.");
  return false;
}

function wrongType(object: ApiObject, value: Value, wanted: string): void {
  const { node } = value;
  // A secret's own data is never quoted.
  const quotes = wanted === "text" && node.kind === "scalar" && object.kind !== "Secret";
  const advice = quotes ? `: put it in quotes, ${JSON.stringify(node.raw.slice(0, 60))}` : "";
  object.refuse(value, "wrong-type", `This must be ${wanted}, not ${describe(value)}${advice}.`);
}

function describe({ node }: Value): string {
  if (node.kind !== "scalar") return node.kind === "map" ? "a map" : "a list";
  if (node.value === null) return "empty";
  if (typeof node.value === "string") {
    return isPlain(node) && oldBooleans.test(node.raw) ? "true or false" : "text";
  }
  return typeof node.value === "boolean" ? "true or false" : "a number";
}

function isEmpty({ node }: Value): boolean {
  if (node.kind === "map") return node.entries.every(({ value }) => isNull(value));
  if (node.kind === "scalar") return node.value === "";
  return node.kind === "list" && node.items.length === 0;
}

function isNull(node: Value["node"]): boolean {
  return node.kind === "scalar" && node.value === null;
}
