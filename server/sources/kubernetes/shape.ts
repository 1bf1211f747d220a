/** What the API wants in a place of an object. */
export type Shape =
  | { readonly is: "text" | "int" | "bool" | "quantity" | "int-or-text" | "anything" }
  | { readonly is: "choice"; readonly of: readonly string[] }
  /** `unique`: the key that no two items may share. */
  | { readonly is: "list"; readonly of: Shape; readonly unique: string | null }
  | { readonly is: "map"; readonly of: Shape }
  | { readonly is: "object"; readonly fields: Fields };

export type Fields = Readonly<Record<string, Field>>;

interface Field {
  readonly shape: Shape;
  readonly required: boolean;
  /** Why the field is listed as not read; null: it is read, or says nothing about what runs. */
  readonly unread: string | null;
  /** The value that the API fills in by itself: it is not listed. */
  readonly usual: string | null;
}

export const text: Shape = { is: "text" };
export const int: Shape = { is: "int" };
export const bool: Shape = { is: "bool" };
export const quantity: Shape = { is: "quantity" };
export const intOrText: Shape = { is: "int-or-text" };
export const anything: Shape = { is: "anything" };

export function choice(...of: string[]): Shape {
  return { is: "choice", of };
}

export function list(of: Shape, unique: string | null = null): Shape {
  return { is: "list", of, unique };
}

export function mapOf(of: Shape): Shape {
  return { is: "map", of };
}

/** A field that stands alone is one that is read, and may be absent. */
export function object(fields: Readonly<Record<string, Shape | Field>>): Shape & { is: "object" } {
  const entries = Object.entries(fields).map(([name, field]) => [
    name,
    "is" in field ? read(field) : field,
  ]);
  return { is: "object", fields: Object.fromEntries(entries) as Fields };
}

function read(shape: Shape): Field {
  return { shape, required: false, unread: null, usual: null };
}

export function required(shape: Shape): Field {
  return { ...read(shape), required: true };
}

/** Known to the API, and listed as not read, with its line. */
export function unread(why: string, shape: Shape = anything, usual: string | null = null): Field {
  return { ...read(shape), unread: why, usual };
}

/** Fields of one kind that are all not read for the same reason. */
export function allUnread(why: string, names: string): Record<string, Field> {
  return Object.fromEntries(names.split(/\s+/).map((name) => [name, unread(why)]));
}
