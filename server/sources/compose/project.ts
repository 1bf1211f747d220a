import { known } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { LeftOut, SourceVolume } from "../../protocol/source-model.ts";
import { didYouMean } from "../near-names.ts";
import { quote } from "../yaml/source-text.ts";
import type { Loader } from "./load.ts";
import { isNothing } from "./part.ts";
import type { MapPart, Mark, PartEntry } from "./part.ts";
import { Section } from "./section.ts";
import type { Kind } from "./section.ts";

/** A service that runs, and all that is said of it. */
export interface NamedService {
  readonly name: string;
  readonly key: Mark;
  readonly section: Section;
}

/** A part of the top level that services name. */
export interface Resource {
  readonly key: Mark;
  readonly section: Section;
}

/** What reading a service goes by. */
export interface Project {
  readonly loader: Loader;
  readonly leftOut: LeftOut[];
  readonly services: ReadonlyMap<string, NamedService>;
  /** Services whose profiles are not active, with these. */
  readonly inactive: ReadonlyMap<string, readonly string[]>;
  readonly networks: ReadonlyMap<string, Resource>;
  readonly volumes: ReadonlyMap<string, Resource>;
  readonly secrets: ReadonlyMap<string, Resource>;
  readonly configs: ReadonlyMap<string, Resource>;
  /** Those that services mount, by their names; also those that have none of their own. */
  readonly mounted: Map<string, SourceVolume>;
  /** Names of the top level's volumes that services mount, also where they stand for a folder. */
  readonly used: Set<string>;
}

/** The entries of a section of the top level. */
export function resources(top: Section, name: string, one: string): Map<string, Resource> {
  const found = new Map<string, Resource>();
  const part = top.get(name);
  if (part === null) return found;
  if (part.kind !== "map") {
    part.mark.error("wrong-type", `This must be a map of names and what they are.`);
    return found;
  }
  for (const [each, entry] of part.entries) {
    if (each.startsWith("x-")) continue;
    const map = bodyOf(entry, `${one} ${quote(each)}`);
    if (map === null) continue;
    const section = new Section(map, `${one} ${quote(each)}`, top.leftOut);
    found.set(each, { key: entry.key, section });
  }
  return found;
}

/** `data:` and `data: {}` say the same. Null, and reported, for what is no map. */
function bodyOf({ key, value }: PartEntry, of: string): MapPart | null {
  if (value.kind === "map") return value;
  if (isNothing(value)) return { kind: "map", entries: new Map(), mark: key, tag: null };
  value.mark.error("wrong-type", `The settings of ${of} must be a map.`);
  return null;
}

/**
 * A thing that a service names. Undefined, and reported or listed, when nothing has this name.
 */
export function referredTo<Thing>(
  project: Project,
  { mark, name, one }: { mark: Mark; name: string; one: string },
  things: ReadonlyMap<string, Thing>,
): Thing | undefined {
  const thing = things.get(name);
  if (thing !== undefined) return thing;
  const { elsewhere } = project.loader;
  if (elsewhere !== null) {
    const what = `${one} ${quote(name)}`;
    project.leftOut.push({ what, why: `It is not here: ${elsewhere}.`, where: mark.where });
    return undefined;
  }
  const near = didYouMean(name, things.keys()) || ".";
  mark.error(`unknown-${one}`, `No ${one} is called ${quote(name)}${near}`);
  return undefined;
}

/** Which of two places says a value; both may, if they say the same. */
export function oneOf<Value>(
  places: readonly { readonly section: Section | null; readonly name: string }[],
  kind: Kind<Value>,
  otherwise: Fact<Value | null>,
): Fact<Value | null> {
  const said = places.flatMap(({ section, name }) => {
    const part = section?.get(name) ?? null;
    return part === null || section === null
      ? []
      : [{ part, of: `${name} of ${section.of}`, fact: section.fact(name, kind, otherwise) }];
  });
  const [first, second] = said;
  if (first === undefined) return otherwise;
  if (second?.fact.known === true && first.fact.known && second.fact.value !== first.fact.value) {
    second.part.mark.error("two-values", `Another value stands in ${first.of}: remove one.`);
  }
  return first.fact;
}

/** Zero is "no limit". */
export function noneForZero(fact: Fact<number | null>): Fact<number | null> {
  return fact.known && fact.value === 0 ? known(null, fact.where) : fact;
}
