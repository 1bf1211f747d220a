import { z } from "zod";
import { before } from "./version.ts";
import type { Version } from "./version.ts";

/** Which part of the specification a text is held to. */
export type DocumentKind = "devfile" | "template" | "parent-overrides" | "plugin-overrides";

/** The versions that have a key. */
export interface Span {
  readonly since?: Version;
  readonly until?: Version;
}

export interface Field extends Span {
  readonly schema: z.ZodType;
  /** `unless-partial`: overrides may leave it out. */
  readonly required: "always" | "unless-partial" | "never";
}

/** A key that even overrides must have. */
export function id(schema: z.ZodType): Field {
  return { schema, required: "always" };
}

export function need(schema: z.ZodType, span: Span = {}): Field {
  return { schema, required: "unless-partial", ...span };
}

export function may(schema: z.ZodType, span: Span = {}): Field {
  return { schema, required: "never", ...span };
}

export const text = z.string();

export function record(value: z.ZodType): z.ZodType {
  return z.record(z.string(), value);
}

/** Of these keys a map has exactly one; one that its version lacks is a mistake of its own. */
export interface ExactlyOne {
  /** What the map is, such as `component`. */
  readonly one: string;
  readonly of: readonly string[];
  readonly example: string;
}

/** What a rule that zod does not have tells of its failure. */
export type Broken =
  | { readonly code: "bad-name"; readonly maxChars: number }
  | { readonly code: "duplicate-value" }
  | { readonly code: "none-of" | "several-of"; readonly rule: ExactlyOne };

/** All keys that a map may have in some version. */
const fieldsOf = new WeakMap<z.ZodType, Readonly<Record<string, Field>>>();

export function fieldsOfSchema(schema: z.ZodType): Readonly<Record<string, Field>> | undefined {
  return fieldsOf.get(schema);
}

const namePattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** How maps look in one version of one kind of document. */
export class Grammar {
  readonly kind: DocumentKind;
  readonly version: Version;
  /** It is a devfile, or stands in one. */
  readonly #inDevfile: boolean;

  constructor(kind: DocumentKind, version: Version, inDevfile = kind === "devfile") {
    this.kind = kind;
    this.version = version;
    this.#inDevfile = inDevfile;
  }

  /** Overrides name what they change, and need no more. */
  get partial(): boolean {
    return this.kind === "parent-overrides" || this.kind === "plugin-overrides";
  }

  /** Devfiles lost plugins with version 2.1.0; templates have them. */
  get plugins(): Span {
    return this.#inDevfile ? { until: [2, 1, 0] } : {};
  }

  /** The same version of another part, inside this one. */
  as(kind: DocumentKind): Grammar {
    return new Grammar(kind, this.version, this.#inDevfile);
  }

  has({ since, until }: Span): boolean {
    return (
      (since === undefined || !before(this.version, since)) &&
      (until === undefined || before(this.version, until))
    );
  }

  name(maxChars = 63): z.ZodType {
    return z.string().refine((name) => name.length <= maxChars && namePattern.test(name), {
      params: { code: "bad-name", maxChars } satisfies Broken,
    });
  }

  /** What Kubernetes allows as a port's name, from 2.2.0 on; in devfiles, not in templates. */
  endpointName(): z.ZodType {
    return this.name(this.#inDevfile && this.has({ since: [2, 2, 0] }) ? 15 : 63);
  }

  object(
    fields: Readonly<Record<string, Field>>,
    { exactlyOne, open = false }: { exactlyOne?: ExactlyOne; open?: boolean } = {},
  ): z.ZodType {
    const shape: Record<string, z.ZodType> = {};
    for (const [name, field] of Object.entries(fields)) {
      if (!this.has(field)) {
        // A key all the same, for the rules on kinds; but none that may stand here.
        if (!open) shape[name] = z.never().optional();
        continue;
      }
      const required =
        field.required === "always" || (field.required === "unless-partial" && !this.partial);
      shape[name] = required ? field.schema : field.schema.optional();
    }
    const plain = open ? z.looseObject(shape) : z.strictObject(shape);
    const schema = exactlyOne === undefined ? plain : onlyOne(plain, exactlyOne);
    fieldsOf.set(schema, fields);
    return schema;
  }
}

/** Checked whatever else is wrong in the map: one mistake hides no other. */
function onlyOne(schema: z.ZodType, rule: ExactlyOne): z.ZodType {
  const count = (map: unknown): number =>
    typeof map !== "object" || map === null || Array.isArray(map)
      ? 1
      : rule.of.reduce((found, name) => (Object.hasOwn(map, name) ? found + 1 : found), 0);
  const when = () => true;
  return schema
    .refine((map) => count(map) > 0, { when, params: { code: "none-of", rule } satisfies Broken })
    .refine((map) => count(map) < 2, {
      when,
      params: { code: "several-of", rule } satisfies Broken,
    });
}
