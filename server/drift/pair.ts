import { parseImageReference } from "../protocol/image-reference.ts";
import type { SourceService } from "../protocol/service.ts";
import type { SourceModel } from "../protocol/source-model.ts";
import { engineOf } from "./engines.ts";

/** A service of both sides, or of one alone. */
export interface Pair {
  /** The shorter of the two names: the same whichever side comes first. */
  readonly name: string;
  readonly a: SourceService | null;
  readonly b: SourceService | null;
}

/**
 * Which service of one side is which of the other: by name, by names they are called by, by a prefix
 * that one side's names have (`teastore-db`), by image, by engine. Each step takes only what is the
 * only one of its kind on both sides.
 */
export function pairServices(a: SourceModel, b: SourceModel): Pair[] {
  const left = { a: new Set(a.services), b: new Set(b.services) };
  const pairs: Pair[] = [];
  const take = (one: SourceService, other: SourceService): void => {
    left.a.delete(one);
    left.b.delete(other);
    pairs.push({ name: shorter(nameOf(one), nameOf(other)), a: one, b: other });
  };
  for (const keysOf of steps) {
    const [ofA, ofB] = [byKey(left.a, keysOf), byKey(left.b, keysOf)];
    for (const [key, ones] of ofA) {
      const others = (ofB.get(key) ?? []).filter((each) => left.b.has(each));
      const free = ones.filter((each) => left.a.has(each));
      const [one, other] = [free[0], others[0]];
      if (free.length !== 1 || others.length !== 1 || !one || !other) continue;
      take(one, other);
    }
    if (keysOf === ownName) byPrefix(left, take);
  }
  for (const one of left.a) pairs.push({ name: nameOf(one), a: one, b: null });
  for (const other of left.b) pairs.push({ name: nameOf(other), a: null, b: other });
  return pairs.toSorted((one, other) => compareText(one.name, other.name));
}

type Left = Readonly<Record<"a" | "b", Set<SourceService>>>;

export function nameOf({ name }: SourceService): string {
  return name.known ? name.value : "";
}

/** `my_service` of compose is `my-service` in Kubernetes. */
export function normal(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function shorter(a: string, b: string): string {
  if (a.length !== b.length) return a.length < b.length ? a : b;
  return a < b ? a : b;
}

/** A part's own name, without that of what it belongs to: `proxy` of `web-proxy`. */
function ownPart(service: SourceService): string | null {
  const of = service.partOf.known ? service.partOf.value : null;
  return of === null || !nameOf(service).startsWith(`${of}-`)
    ? null
    : nameOf(service).slice(of.length + 1);
}

const ownName = (service: SourceService): string[] => [normal(nameOf(service))];

const steps: readonly ((service: SourceService) => string[])[] = [
  ownName,
  (service) => {
    const names = service.names.flatMap((each) => (each.known ? [each.value.name] : []));
    return [...names.filter((name) => !name.includes(".")), nameOf(service)].map(normal);
  },
  (service) => [normal(ownPart(service) ?? nameOf(service))],
  (service) => {
    const name = imageName(service);
    return name === null ? [] : [name];
  },
  (service) => {
    const engine = service.image.known ? engineOf(service.image.value) : null;
    return engine === null ? [] : [engine.name];
  },
];

/** The last part of an image's name; what is built from a folder has the folder's. */
function imageName({ image, build }: SourceService): string | null {
  const folder = build.known ? build.value?.context : undefined;
  if (!image.known) return folder === undefined ? null : normal(lastOf(folder));
  return normal(lastOf(parseImageReference(image.value)?.repository ?? image.value));
}

function lastOf(path: string): string {
  return (
    path
      .split("/")
      .filter((part) => part !== "" && part !== ".")
      .at(-1) ?? ""
  );
}

function byKey(
  services: ReadonlySet<SourceService>,
  keysOf: (service: SourceService) => string[],
): Map<string, SourceService[]> {
  const found = new Map<string, SourceService[]>();
  for (const service of services) {
    for (const key of new Set(keysOf(service))) {
      if (key === "") continue;
      const same = found.get(key);
      if (same === undefined) found.set(key, [service]);
      else same.push(service);
    }
  }
  return found;
}

/** A chart or a tool sets one prefix before all names of a side: the one that most names have. */
function byPrefix(left: Left, take: (one: SourceService, other: SourceService) => void): void {
  const [ofA, ofB] = [byKey(left.a, ownName), byKey(left.b, ownName)];
  const votes = new Map<string, { one: SourceService; other: SourceService }[]>();
  const vote = (side: "a" | "b", longer: Map<string, SourceService[]>, names: typeof longer) => {
    for (const [name, [long]] of longer) {
      for (let dash = name.indexOf("-"); dash !== -1; dash = name.indexOf("-", dash + 1)) {
        const [short] = names.get(name.slice(dash + 1)) ?? [];
        if (long === undefined || short === undefined) continue;
        const key = `${side} ${name.slice(0, dash)}`;
        const found = side === "a" ? { one: long, other: short } : { one: short, other: long };
        votes.set(key, [...(votes.get(key) ?? []), found]);
      }
    }
  };
  vote("a", ofA, ofB);
  vote("b", ofB, ofA);
  const ranked = [...votes].toSorted(
    ([one, its], [other, others]) =>
      others.length - its.length || compareText(one.slice(2), other.slice(2)),
  );
  for (const [, found] of ranked) {
    for (const { one, other } of found) {
      if (left.a.has(one) && left.b.has(other)) take(one, other);
    }
  }
}
