import type { Fact, Place } from "../../protocol/fact.ts";
import type { LeftOut } from "../../protocol/source-model.ts";
import { nearNames } from "../near-names.ts";
import { quote } from "../yaml/source-text.ts";
import type { Keys } from "./keys.ts";
import { entry, factOf, isNothing, mapOf, valueOf } from "./part.ts";
import type { MapPart, Mark, Part } from "./part.ts";

/** A map whose attributes are known: what is not read of it is listed, what is none is reported. */
export class Section {
  readonly map: MapPart;
  /** For a sentence, such as `service "web"`. */
  readonly of: string;
  readonly leftOut: LeftOut[];

  constructor(map: MapPart, of: string, leftOut: LeftOut[]) {
    this.map = map;
    this.of = of;
    this.leftOut = leftOut;
  }

  get where(): Place {
    return this.map.mark.where;
  }

  /** Lists what `keys` does not have read. */
  check(keys: Keys): this {
    for (const [name, { key, value }] of this.map.entries) {
      if (name.startsWith("x-") || isNothing(value)) continue;
      const read = Object.hasOwn(keys, name) ? keys[name] : undefined;
      if (read === true) continue;
      if (read !== undefined) this.listAt(key, `${name} of ${this.of}`, read);
      else this.#unknown(name, { key, names: Object.keys(keys) });
    }
    return this;
  }

  /** Compose refuses such an attribute; a later version of it might not, unless it is a slip. */
  #unknown(name: string, { key, names }: { key: Mark; names: readonly string[] }): void {
    const near = nearNames(name, names);
    if (near.length > 0) {
      const meant = near.map(quote).join(" or ");
      key.error("unknown-key", `Nothing is called ${quote(name)} here; did you mean ${meant}?`);
    } else {
      this.listAt(key, `${quote(name)} of ${this.of}`, "Oneloop does not know it.");
    }
  }

  /** Names something that is not read. */
  listAt(mark: Mark, what: string, why: string): void {
    this.leftOut.push({ what, why, where: mark.where });
  }

  list(name: string, why: string): void {
    const at = this.map.entries.get(name);
    if (at !== undefined) this.listAt(at.key, `${name} of ${this.of}`, why);
  }

  get(name: string): Part | null {
    return entry(this.map, name);
  }

  /** A map inside, with its own attributes; null, and reported, where it is none. */
  section(name: string, keys: Keys): Section | null {
    const part = this.get(name);
    const inner = part === null ? null : mapOf(part);
    return inner === null
      ? null
      : new Section(inner, `${name} of ${this.of}`, this.leftOut).check(keys);
  }

  /** The value of an attribute, or `otherwise` at this map's place. */
  fact<Value, Otherwise>(
    name: string,
    { parse, wanted }: Kind<Value>,
    otherwise: Fact<Otherwise>,
  ): Fact<Value | Otherwise> {
    const part = this.get(name);
    return part === null ? otherwise : factOf(part, parse, wanted);
  }

  value<Value>(name: string, { parse, wanted }: Kind<Value>): Value | null {
    return valueOf(this.get(name), parse, wanted);
  }

  /** Of a list that is maybe one value only. */
  items(name: string): readonly Part[] {
    const part = this.get(name);
    if (part === null) return [];
    if (part.kind === "list") return part.items;
    if (part.kind === "scalar") return [part];
    mapIsNoList(part);
    return [];
  }
}

function mapIsNoList(part: Part): void {
  part.mark.error("wrong-type", "This must be a list, not a map.");
}

/** How a kind of value is read from its text. */
export interface Kind<Value> {
  readonly parse: (text: string) => Value | null;
  /** For the sentence "… is no …". */
  readonly wanted: string;
}
