import type { LeftOut } from "../../protocol/source-model.ts";
import { selectsAll } from "./labels.ts";
import type { Labels } from "./labels.ts";
import type { ApiObject } from "./object.ts";
import { podOf, templateOf } from "./rules.ts";
import type { Value } from "./value.ts";

/** What runs pods. */
export interface Workload {
  readonly object: ApiObject;
  /** The name in the model. */
  readonly name: string;
  /** Of its pods. */
  readonly labels: Labels;
  readonly pod: Value;
}

/** All objects that the API takes, by what others look for. */
export class Cluster {
  readonly objects: readonly ApiObject[];
  readonly workloads: readonly Workload[];
  readonly leftOut: LeftOut[];
  readonly #byId: ReadonlyMap<string, ApiObject>;
  readonly #byKind = new Map<string, ApiObject[]>();
  /** Names that volumes have in the model. */
  readonly #volumeNames = new Map<string, string>();
  readonly #usedVolumeNames = new Set<string>();
  readonly #selected = new Map<ApiObject, Workload[]>();
  readonly #servicesOf = new Map<Workload, ApiObject[]>();
  readonly #scalers = new Map<string, ApiObject>();

  constructor(objects: readonly ApiObject[], leftOut: LeftOut[]) {
    this.objects = objects;
    this.leftOut = leftOut;
    this.#byId = new Map(objects.map((object) => [idOf(object), object]));
    for (const object of objects) {
      const same = this.#byKind.get(object.kind);
      if (same === undefined) this.#byKind.set(object.kind, [object]);
      else same.push(object);
    }
    this.workloads = this.#findWorkloads();
    this.#joinServices();
    for (const scaler of this.ofKind("HorizontalPodAutoscaler")) {
      const target = scaler.spec?.get("scaleTargetRef");
      const [kind, name] = [target?.text("kind"), target?.text("name")];
      this.#scalers.set(`${kind}/${scaler.namespace}/${name}`, scaler);
    }
  }

  scalerOf(object: ApiObject): ApiObject | null {
    return this.#scalers.get(idOf(object)) ?? null;
  }

  find(kind: string, { namespace }: { namespace: string }, name: string): ApiObject | null {
    return this.#byId.get(`${kind}/${namespace}/${name}`) ?? null;
  }

  ofKind(kind: string): readonly ApiObject[] {
    return this.#byKind.get(kind) ?? [];
  }

  /** The workloads whose pods a Service's selector takes; an empty selector takes none. */
  selectedBy(service: ApiObject): readonly Workload[] {
    return this.#selected.get(service) ?? [];
  }

  servicesOf(workload: Workload): readonly ApiObject[] {
    return this.#servicesOf.get(workload) ?? [];
  }

  #joinServices(): void {
    const byLabel = new Map<string, Workload[]>();
    const keyOf = (namespace: string, label: readonly [string, string]): string =>
      JSON.stringify([namespace, ...label]);
    for (const workload of this.workloads) {
      for (const label of workload.labels) {
        const key = keyOf(workload.object.namespace, label);
        const same = byLabel.get(key);
        if (same === undefined) byLabel.set(key, [workload]);
        else same.push(workload);
      }
    }
    for (const service of this.ofKind("Service")) {
      const wanted = service.spec?.map("selector") ?? new Map<string, string>();
      const lists = Array.from(
        wanted,
        (label) => byLabel.get(keyOf(service.namespace, label)) ?? [],
      );
      // What all labels take is among what the rarest takes.
      const [fewest = []] = lists.toSorted((one, other) => one.length - other.length);
      const selected = fewest.filter(({ labels }) => selectsAll(wanted, labels));
      this.#selected.set(service, selected);
      for (const workload of selected) {
        this.#servicesOf.set(workload, [...(this.#servicesOf.get(workload) ?? []), service]);
      }
    }
  }

  /** The model's name of a volume that `id` stands for, everywhere the same and nobody else's. */
  volumeName(id: string, ...wanted: readonly string[]): string {
    const known = this.#volumeNames.get(id);
    if (known !== undefined) return known;
    const name = unusedName(wanted, this.#usedVolumeNames);
    this.#usedVolumeNames.add(name);
    this.#volumeNames.set(id, name);
    return name;
  }

  #findWorkloads(): Workload[] {
    const used = new Set<string>();
    return this.objects.flatMap((object) => {
      const pod = podOf(object);
      if (pod === null || this.#isMade(object)) return [];
      const { namespace } = object;
      const base = object.name.replace(/-+$/, "");
      const kind = object.kind.toLowerCase();
      const name = unusedName([base, `${namespace}-${base}`, `${base}-${kind}`], used);
      used.add(name);
      const labels = templateOf(object)?.get("metadata")?.map("labels") ?? new Map();
      return [{ object, name, labels, pod }];
    });
  }

  /** Whether another object of these files makes this one, as a Deployment makes its ReplicaSet. */
  #isMade(object: ApiObject): boolean {
    const owners = object.root.get("metadata")?.items("ownerReferences") ?? [];
    for (const owner of owners) {
      const [kind, name] = [owner.text("kind") ?? "", owner.text("name") ?? ""];
      if (this.find(kind, object, name) === null) continue;
      object.leave(object.root, `${kind}/${name} makes it, and is read.`, "all of it");
      return true;
    }
    return false;
  }
}

function idOf({ kind, namespace, name }: ApiObject): string {
  return `${kind}/${namespace}/${name}`;
}

/** The first of the wanted names that nobody has; else the last with a number. */
export function unusedName(wanted: readonly string[], used: ReadonlySet<string>): string {
  const free = wanted.find((name) => !used.has(name));
  if (free !== undefined) return free;
  const last = wanted.at(-1) ?? "";
  let number = 2;
  while (used.has(`${last}-${number}`)) number += 1;
  return `${last}-${number}`;
}
