import { known } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import { unsaidService } from "../../protocol/service.ts";
import type { Endpoint, HostAccess, SourceService } from "../../protocol/service.ts";
import type { SourceVolume } from "../../protocol/source-model.ts";
import { parseBytes, parseCores } from "../quantity.ts";
import type { Cluster, Workload } from "./cluster.ts";
import { readEnv } from "./env.ts";
import { expandArgument } from "./expand.ts";
import { readProbe } from "./probe.ts";
import type { Value } from "./value.ts";
import { readMounts } from "./volumes.ts";

export interface ContainerContext {
  readonly workload: Workload;
  readonly cluster: Cluster;
  /** The model's volumes, by their names. */
  readonly volumes: Map<string, SourceVolume>;
}

/** A container as a service, without what its place in the pod says (name, role, order). */
export function readContainer(
  container: Value,
  context: ContainerContext,
): Omit<SourceService, "name"> {
  const { workload, cluster } = context;
  const { object, pod } = workload;
  const { env, envElsewhere, variables } = readEnv(container, object, cluster);
  const { hostAccess, ...mounted } = readMounts(container, context);
  const argumentsOf = (name: string): Fact<string[] | null> => {
    const list = container.texts(name);
    const at = container.get(name) ?? container;
    // The API takes an empty list for none.
    if (list === null || list.length === 0) return at.fact(null);
    return at.fact(list.map((each) => expandArgument(each, variables)));
  };
  return {
    ...unsaidService(container.where),
    image: (container.get("image") ?? container).fact(container.text("image") ?? ""),
    command: argumentsOf("command"),
    args: argumentsOf("args"),
    ...readResources(container, context),
    ...readSecurity(container, context),
    env,
    envElsewhere,
    endpoints: readPorts(container, context),
    ...mounted,
    dedicatedPod: known(true, container.where),
    workload: known(object.kind, object.where),
    platform: readPlatform(pod),
    workingDir: textFact(container, "workingDir"),
    restart: readRestart(pod),
    readiness: readProbe(container, "readinessProbe"),
    liveness: readProbe(container, "livenessProbe"),
    startup: readProbe(container, "startupProbe"),
    stopGraceSeconds: (pod.get("terminationGracePeriodSeconds") ?? pod).fact(
      // The API's default.
      Math.max(0, pod.int("terminationGracePeriodSeconds") ?? 30),
    ),
    hostAccess: [...hostAccess, ...readHostAccess(container, pod)],
    ...readHostname(workload),
  };
}

/** A pod calls itself by its own name, which is made up unless it is a Pod's or a StatefulSet's. */
function readHostname({ object, pod }: Workload): Pick<SourceService, "hostname"> {
  // Whatever its template says.
  if (object.kind === "StatefulSet") return { hostname: known(`${object.name}-0`, object.where) };
  const [at, text] = [pod.get("hostname"), pod.text("hostname")];
  if (at !== null && text !== null) return { hostname: at.fact(text) };
  return object.kind === "Pod" ? { hostname: known(object.name, object.where) } : {};
}

function textFact(container: Value, name: string): Fact<string | null> {
  return (container.get(name) ?? container).fact(container.text(name));
}

function readRestart(pod: Value): SourceService["restart"] {
  const at = pod.get("restartPolicy") ?? pod;
  switch (pod.text("restartPolicy") ?? "Always") {
    case "Never":
      return at.fact("no");
    case "OnFailure":
      return at.fact("on-failure");
    default:
      return at.fact("always");
  }
}

const ownResources = ["memory", "cpu"];

/** A request that is absent is as high as the limit: the API fills it in. */
function readResources(container: Value, { workload: { object } }: ContainerContext) {
  const resources = container.get("resources");
  const read = (key: string, parse: (text: string) => number | null) => {
    const limit = resources?.at("limits", key) ?? null;
    const request = resources?.at("requests", key) ?? limit;
    // 0 is no limit.
    const fact = (at: Value | null) =>
      (at ?? resources ?? container).fact(at === null ? null : parse(at.raw) || null);
    return { limit: fact(limit), request: fact(request) };
  };
  for (const kind of ["limits", "requests"]) {
    for (const { name, key } of resources?.get(kind)?.entries ?? []) {
      if (!ownResources.includes(name)) object.leave(key, "Docker limits nothing of this kind.");
    }
  }
  const [memory, cpu] = [read("memory", parseBytes), read("cpu", parseCores)];
  return {
    memoryLimitBytes: memory.limit,
    memoryRequestBytes: memory.request,
    cpuLimitCores: cpu.limit,
    cpuRequestCores: cpu.request,
  };
}

/** What a container says counts before what its pod says. */
function readSecurity(container: Value, { workload: { object, pod } }: ContainerContext) {
  const [own, ofPod] = [container.get("securityContext"), pod.get("securityContext")];
  const userAt = own?.get("runAsUser") ?? ofPod?.get("runAsUser") ?? null;
  const groupAt = own?.get("runAsGroup") ?? ofPod?.get("runAsGroup") ?? null;
  const user = own?.int("runAsUser") ?? ofPod?.int("runAsUser") ?? null;
  const group = own?.int("runAsGroup") ?? ofPod?.int("runAsGroup") ?? null;
  if (groupAt !== null && user === null) {
    object.leave(groupAt, "A group without a user: Docker takes a group only with its user.");
  }
  const readOnly = own?.get("readOnlyRootFilesystem") ?? null;
  const capabilities = own?.get("capabilities") ?? null;
  const names = (name: string): Fact<string[]> =>
    (capabilities?.get(name) ?? container).fact(
      (capabilities?.texts(name) ?? []).map((each) => each.toUpperCase().replace(/^CAP_/, "")),
    );
  return {
    user: (userAt ?? container).fact(
      user === null ? null : group === null ? String(user) : `${user}:${group}`,
    ),
    readOnlyRoot: (readOnly ?? container).fact(own?.bool("readOnlyRootFilesystem") === true),
    capabilitiesAdded: names("add"),
    capabilitiesDropped: names("drop"),
  };
}

function readHostAccess(container: Value, pod: Value): Fact<HostAccess>[] {
  const found: Fact<HostAccess>[] = [];
  const privileged = container.at("securityContext", "privileged");
  if (privileged !== null && container.get("securityContext")?.bool("privileged") === true) {
    found.push(privileged.fact({ what: "privileged", detail: "privileged: true" }));
  }
  for (const [key, what] of [
    ["hostNetwork", "host-network"],
    ["hostPID", "host-pid"],
    ["hostIPC", "host-ipc"],
  ] as const) {
    const at = pod.get(key);
    if (at !== null && pod.bool(key) === true)
      found.push(at.fact({ what, detail: `${key}: true` }));
  }
  const profile =
    container.at("securityContext", "seccompProfile") ??
    pod.at("securityContext", "seccompProfile");
  if (profile !== null && profile.text("type") === "Unconfined") {
    found.push(profile.fact({ what: "security-option", detail: "seccompProfile: Unconfined" }));
  }
  return found;
}

function readPorts(container: Value, { workload: { object } }: ContainerContext): Fact<Endpoint>[] {
  return container.items("ports").flatMap((port) => {
    const targetPort = port.int("containerPort");
    if (targetPort === null) return [];
    const protocol = port.text("protocol") || "TCP";
    if (protocol === "SCTP") {
      object.leave(port, "Oneloop leads TCP and UDP to a service.");
      return [];
    }
    return [
      port.fact({
        name: port.text("name") ?? `port-${targetPort}`,
        targetPort,
        exposure: "internal" as const,
        protocol: protocol === "UDP" ? ("udp" as const) : ("tcp" as const),
        secure: false,
        path: null,
      }),
    ];
  });
}

/** Kubernetes' well-known labels of a machine. */
function readPlatform(pod: Value): Fact<string | null> {
  const selector = pod.get("nodeSelector");
  const find = (name: string) =>
    selector?.get(`kubernetes.io/${name}`) ?? selector?.get(`beta.kubernetes.io/${name}`) ?? null;
  const [os, arch] = [find("os"), find("arch")];
  if (arch === null) return (selector ?? pod).fact(null);
  return arch.fact(`${os === null ? "linux" : os.raw}/${arch.raw}`);
}
