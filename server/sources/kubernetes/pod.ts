import { known, unknown } from "../../protocol/fact.ts";
import type { Dependency, SourceService } from "../../protocol/service.ts";
import { unusedName } from "./cluster.ts";
import type { Cluster, Workload } from "./cluster.ts";
import { readContainer } from "./container.ts";
import type { ContainerContext } from "./container.ts";
import type { ApiObject } from "./object.ts";
import type { Value } from "./value.ts";

/** What `kubectl` and others take for the container that is meant when nobody says which. */
const defaultContainer = "kubectl.kubernetes.io/default-container";

/**
 * A pod's containers as services. The first (or the one that the pod's annotation names) has the
 * workload's name; the others are parts of it, named `<workload>-<container>`.
 *
 * @param taken Names that services have: those of containers keep clear of them.
 */
export function readPod(context: ContainerContext, taken: Set<string>): SourceService[] {
  const { workload } = context;
  const { pod, object, name } = workload;
  listSelector(object, pod);
  const containers = pod.items("containers");
  const wanted = annotationOf(workload);
  const main = containers.find((each) => each.text("name") === wanted) ?? containers[0];
  if (main === undefined) return [];
  const nameOf = (container: Value): string => {
    const own = unusedName([`${name}-${container.text("name") ?? ""}`], taken);
    taken.add(own);
    return own;
  };
  const inits = readInits(context, nameOf);
  const before = inits.flatMap(({ dependency }) => (dependency === null ? [] : [dependency]));
  const others = containers.filter((each) => each !== main);
  return [
    {
      ...readContainer(main, context),
      name: object.root.fact(name),
      role: known(roleOf(object), object.where),
      replicas: replicasOf(workload, context.cluster),
      dependsOn: before.map((each) => known(each, pod.where)),
    },
    ...inits.map(({ service }) => service),
    ...others.map((container): SourceService => {
      return {
        ...readContainer(container, context),
        name: (container.get("name") ?? container).fact(nameOf(container)),
        role: container.fact("sidecar"),
        partOf: known(name, object.where),
        dependsOn: before.map((each) => known(each, pod.where)),
      };
    }),
  ];
}

function annotationOf({ pod, object }: Workload): string | null {
  // The template's metadata stands beside its spec.
  const path = pod.path.split(".").slice(0, -1);
  const metadata = object.root.at(...path)?.get("metadata");
  return metadata?.get("annotations")?.text(defaultContainer) ?? null;
}

interface Init {
  readonly service: SourceService;
  /** What the containers after it wait for. */
  readonly dependency: Dependency | null;
}

/** Init containers run one after the other; one that is always restarted runs on beside the pod. */
function readInits(context: ContainerContext, nameOf: (container: Value) => string): Init[] {
  const { workload } = context;
  const inits: Init[] = [];
  for (const container of workload.pod.items("initContainers")) {
    const runsOn = container.text("restartPolicy") === "Always";
    const read = readContainer(container, context);
    const name = nameOf(container);
    const waitsFor = inits.flatMap(({ dependency }) => (dependency === null ? [] : [dependency]));
    const started = read.startup.known && read.startup.value !== null ? "healthy" : "started";
    const condition = runsOn ? started : "completed";
    inits.push({
      service: {
        ...read,
        name: (container.get("name") ?? container).fact(name),
        role: container.fact(runsOn ? "sidecar" : "init"),
        partOf: known(workload.name, workload.object.where),
        restart: runsOn ? container.fact("always") : initRestart(read),
        dependsOn: waitsFor.map((each) => known(each, container.where)),
      },
      dependency: { service: name, condition, required: true },
    });
  }
  return inits;
}

/** An init container that fails runs again, unless the pod is never restarted. */
function initRestart({ restart }: Pick<SourceService, "restart">): SourceService["restart"] {
  if (!restart.known || restart.value === "no") return restart;
  return known("on-failure", restart.where);
}

function roleOf({ kind }: ApiObject): "service" | "job" | "cron" {
  if (kind === "CronJob") return "cron";
  return kind === "Job" ? "job" : "service";
}

function replicasOf({ object }: Workload, cluster: Cluster): SourceService["replicas"] {
  const spec = cluster.scalerOf(object)?.spec ?? null;
  const at = object.spec?.get("replicas") ?? null;
  if (spec !== null) {
    const range = `${spec.int("minReplicas") ?? 1} to ${spec.int("maxReplicas") ?? "?"}`;
    return unknown(`An autoscaler sets it, from ${range}.`, spec.where);
  }
  if (object.kind === "DaemonSet") {
    object.leave(
      object.root,
      "It runs once on each machine: a mirror has one.",
      "one on each machine",
    );
  }
  if (object.kind === "CronJob") {
    const schedule = object.spec?.get("schedule") ?? object.root;
    object.leave(schedule, "A mirror runs nothing by schedule: start it by hand.");
  }
  return (at ?? object.root).fact(object.spec?.int("replicas") ?? 1);
}

/** Of a node selector only the platform is read. */
function listSelector(object: ApiObject, pod: Value): void {
  for (const { name, key } of pod.get("nodeSelector")?.entries ?? []) {
    if (/^(?:beta\.)?kubernetes\.io\/(?:os|arch)$/.test(name)) continue;
    object.leave(key, "Where it runs is the cluster's matter: a mirror runs on one machine.");
  }
}
