import type { Value } from "./value.ts";

export type Labels = ReadonlyMap<string, string>;

/**
 * Whether a label selector (`matchLabels`, `matchExpressions`) takes these labels. An empty one takes
 * all, an absent one none.
 */
export function selects(selector: Value | null, labels: Labels): boolean {
  if (selector === null) return false;
  return (
    selectsAll(selector.map("matchLabels"), labels) &&
    selector.items("matchExpressions").every((rule) => holds(rule, labels))
  );
}

/** Whether each of `wanted` is among the labels. */
export function selectsAll(wanted: Labels, labels: Labels): boolean {
  return Array.from(wanted).every(([name, value]) => labels.get(name) === value);
}

function holds(rule: Value, labels: Labels): boolean {
  const value = labels.get(rule.text("key") ?? "");
  const values = rule.texts("values") ?? [];
  switch (rule.text("operator") ?? "") {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    default:
      return false;
  }
}
