/** As much of JSON Schema as the specification's schemas use. */
export interface JsonSchema {
  readonly type: "string" | "boolean" | "integer" | "array" | "object";
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly uniqueItems?: boolean;
  readonly oneOf?: readonly { readonly required: readonly string[] }[];
}

/** Whether a schema takes a value. */
export function accepts(schema: JsonSchema, value: unknown): boolean {
  if (schema.enum !== undefined && !schema.enum.includes(String(value))) return false;
  switch (schema.type) {
    case "string":
      return (
        typeof value === "string" &&
        (schema.maxLength === undefined || value.length <= schema.maxLength) &&
        (schema.pattern === undefined || new RegExp(schema.pattern).test(value))
      );
    case "boolean":
      return typeof value === "boolean";
    case "integer":
      return Number.isInteger(value);
    case "array":
      return (
        Array.isArray(value) &&
        (schema.uniqueItems !== true || new Set(value).size === value.length) &&
        value.every((item) => schema.items === undefined || accepts(schema.items, item))
      );
    case "object":
      return isRecord(value) && acceptsObject(schema, value);
  }
}

function acceptsObject(schema: JsonSchema, value: Record<string, unknown>): boolean {
  const { required = [], properties = {}, additionalProperties = true, oneOf } = schema;
  const has = (name: string): boolean => Object.hasOwn(value, name);
  if (!required.every(has)) return false;
  if (oneOf !== undefined && oneOf.filter((each) => each.required.every(has)).length !== 1) {
    return false;
  }
  return Object.entries(value).every(([name, inner]) => {
    const known = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (known !== undefined) return accepts(known, inner);
    return typeof additionalProperties === "boolean"
      ? additionalProperties
      : accepts(additionalProperties, inner);
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A number from 0 to 1, the next one of its row each time. */
export type Random = () => number;

/** The same row for the same seed (mulberry32). */
export function randomOf(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const names = ["a", "web-1", "x".repeat(15), "x".repeat(16), "x".repeat(63)];
const badNames = ["A", "-a", "a-", "a_b", "", "x".repeat(64), "ä", "a\n"];
const versions = ["2.0.0", "2.2.2", "2.3.0-alpha", "latest", "1.0.0"];
const badVersions = ["x.y.z", "2.2", "v2.0.0", "", "2.0.0 "];

/**
 * A value that mostly fits a schema; what does not fit is what people write: another type, a key too
 * many or too few, two where one belongs, a bad name.
 */
export function sample(schema: JsonSchema, random: Random, wrong: number): unknown {
  const chance = (share: number): boolean => random() < share;
  const pick = <Value>(list: readonly Value[]): Value | undefined =>
    list[Math.floor(random() * list.length)];
  if (chance(wrong)) return pick([null, 1, 1.5, true, "text", [], {}, ["a"], { a: "b" }]);
  switch (schema.type) {
    case "string":
      if (schema.enum !== undefined) return chance(wrong) ? "other" : pick(schema.enum);
      if (schema.maxLength !== undefined) return pick(chance(wrong * 3) ? badNames : names);
      if (schema.pattern !== undefined) return pick(chance(wrong * 3) ? badVersions : versions);
      return pick(["text", "", "{{a}}"]);
    case "boolean":
      return chance(0.5);
    case "integer":
      return pick([0, 1, 8080, 70_000, -1]);
    case "array": {
      const { items } = schema;
      if (items === undefined) return [];
      return Array.from({ length: Math.floor(random() * 3) }, () => sample(items, random, wrong));
    }
    case "object":
      return sampleObject(schema, random, wrong);
  }
}

function sampleObject(schema: JsonSchema, random: Random, wrong: number): unknown {
  const { required = [], properties = {}, additionalProperties, oneOf = [] } = schema;
  const chance = (share: number): boolean => random() < share;
  const kinds = oneOf.flatMap((each) => each.required);
  const chosen = new Set([kinds[Math.floor(random() * kinds.length)]]);
  for (const kind of kinds) if (chance(wrong)) chosen.add(kind);
  if (chance(wrong)) chosen.clear();
  const value: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(properties)) {
    const wanted = kinds.includes(name)
      ? chosen.has(name)
      : required.includes(name)
        ? !chance(wrong)
        : chance(0.3);
    if (wanted) value[name] = sample(inner, random, wrong);
  }
  if (chance(wrong)) value["surprise"] = "x";
  if (typeof additionalProperties === "object") {
    value["free-key"] = sample(additionalProperties, random, wrong);
  }
  return value;
}
