import { quote } from "../yaml/source-text.ts";
import { kinds } from "./kinds.ts";
import { selects, selectsAll } from "./labels.ts";
import type { ApiObject } from "./object.ts";
import { checkPod, checkPort } from "./rules-pod.ts";
import { join, Value } from "./value.ts";

/** What the API's validation says of an object beside its types: across its fields. */
export function checkRules(object: ApiObject): void {
  const template = templateOf(object);
  const pod = podOf(object);
  if (template !== null && pod !== null) {
    if (object.kind !== "Pod") checkSelector(object, template);
    checkRestart(object, pod);
    const claims = object.spec?.items("volumeClaimTemplates") ?? [];
    const names = claims.map((claim) => claim.get("metadata")?.text("name") ?? "");
    checkPod(object, pod, names);
  }
  const { spec } = object;
  if (spec === null) return;
  const replicas = spec.int("replicas");
  if (replicas !== null && replicas < 0) {
    const what = `Invalid value: ${replicas}: must be greater than or equal to 0.`;
    object.refuse(spec.get("replicas") ?? spec, "invalid-value", what);
  }
  if (object.kind === "Service") checkService(object, spec);
  if (object.kind === "Ingress") checkIngress(object, spec);
}

/** The pod's template of a workload; of a Pod itself; null where the kind has none. */
export function templateOf({ kind, root }: ApiObject): Value | null {
  const path = kinds[kind]?.template ?? null;
  return path === null ? null : root.at(...path);
}

export function podOf(object: ApiObject): Value | null {
  return templateOf(object)?.get("spec") ?? null;
}

function checkSelector(object: ApiObject, template: Value): void {
  const selector = object.spec?.get("selector") ?? null;
  // A Job's selector is made by the cluster.
  if (selector === null || object.kind === "Job" || object.kind === "CronJob") return;
  const metadata = template.get("metadata");
  const labels = metadata?.map("labels") ?? new Map<string, string>();
  const plain = object.kind === "ReplicationController";
  const empty =
    selector.entries.length === 0 ||
    (!plain &&
      selector.map("matchLabels").size === 0 &&
      selector.items("matchExpressions").length === 0);
  if (empty && !plain) {
    const what = "Invalid value: {}: empty selector is invalid for a workload.";
    object.refuse(selector, "invalid-value", what);
    return;
  }
  if (plain ? selectsAll(selector.ownMap, labels) : selects(selector, labels)) return;
  const given = JSON.stringify(Object.fromEntries(labels));
  const nearest = metadata?.get("labels") ?? metadata ?? template;
  const at = new Value(nearest.node, join(join(template.path, "metadata"), "labels"));
  const what = `Invalid value: ${given}: \`selector\` does not match template \`labels\`.`;
  object.refuse(at, "invalid-value", what);
}

function checkRestart(object: ApiObject, pod: Value): void {
  const job = object.kind === "Job" || object.kind === "CronJob";
  const any = ["Always", "OnFailure", "Never"];
  const of = object.kind === "Pod" ? any : job ? ["OnFailure", "Never"] : ["Always"];
  const at = pod.get("restartPolicy");
  const supported = of.map((each) => JSON.stringify(each)).join(", ");
  if (at === null || at.raw === "") {
    if (!job) return;
    const where = new Value(pod.node, join(pod.path, "restartPolicy"));
    object.refuse(where, "required-value", `Required value: valid values: ${supported}.`);
  } else if (!of.includes(at.raw)) {
    const what = `Unsupported value: ${quote(at.raw)}: supported values: ${supported}.`;
    object.refuse(at, "unsupported-value", what);
  }
}

function checkService(object: ApiObject, spec: Value): void {
  const type = spec.text("type") || "ClusterIP";
  const ports = spec.items("ports");
  if (type === "ExternalName") {
    if ((spec.text("externalName") ?? "") === "") {
      object.refuse(new Value(spec.node, "spec.externalName"), "required-value", "Required value.");
    }
  } else if (ports.length === 0 && spec.text("clusterIP") !== "None") {
    object.refuse(new Value(spec.node, "spec.ports"), "required-value", "Required value.");
  }
  const names = new Set<string>();
  for (const port of ports) {
    checkPort(object, port.get("port"));
    // 0 is filled in as an absent one is.
    if (port.int("targetPort") !== 0) checkPort(object, port.get("targetPort"));
    const name = port.text("name");
    if (name === null && ports.length > 1) {
      const at = new Value(port.node, join(port.path, "name"));
      object.refuse(at, "required-value", "Required value.");
    }
    if (name !== null && names.has(name)) {
      const at = port.get("name") ?? port;
      object.refuse(at, "duplicate-value", `Duplicate value: ${quote(name)}.`);
    }
    names.add(name ?? "");
  }
}

function checkIngress(object: ApiObject, spec: Value): void {
  const backends = [spec.get("defaultBackend")];
  for (const rule of spec.items("rules")) {
    for (const path of rule.get("http")?.items("paths") ?? []) {
      backends.push(path.get("backend"));
      const at = path.get("path");
      const text = path.text("path");
      const exact = path.text("pathType") !== "ImplementationSpecific";
      if (exact && !(text ?? "").startsWith("/")) {
        const what = `Invalid value: ${quote(text ?? "")}: must be an absolute path.`;
        object.refuse(at ?? new Value(path.node, join(path.path, "path")), "invalid-value", what);
      }
    }
  }
  for (const backend of backends) {
    const service = backend?.get("service") ?? null;
    if (backend === null || service === null) continue;
    const port = service.get("port");
    if (port === null || (port.int("number") === null && port.text("name") === null)) {
      const at = new Value(service.node, join(service.path, "port"));
      object.refuse(at, "required-value", "Required value: port name or number is required.");
    }
    checkPort(object, port?.get("number") ?? null);
  }
}
