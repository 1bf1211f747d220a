import { parseQuantity } from "../quantity.ts";
import { quote } from "../yaml/source-text.ts";
import type { ApiObject } from "./object.ts";
import { volumeKinds } from "./shapes-pod.ts";
import { intOf, join, Value } from "./value.ts";

/** Names that Kubernetes takes for environment variables. */
const envName = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;
const dnsLabel = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** IANA_SVC_NAME, RFC 6335: it also has a letter in it. */
const portName = /^(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$/;
const handlers = ["exec", "grpc", "httpGet", "tcpSocket"];
const envSources = [
  "configMapKeyRef",
  "fieldRef",
  "resourceFieldRef",
  "secretKeyRef",
  "fileKeyRef",
];

/** What the API's validation says of a pod beside its types. */
export function checkPod(object: ApiObject, pod: Value, volumesOfOthers: readonly string[]): void {
  const containers = pod.get("containers");
  if (containers?.node.kind === "list" && containers.list.length === 0) {
    object.refuse(containers, "required-value", "Required value.");
  }
  const volumes = new Set(volumesOfOthers);
  for (const volume of pod.items("volumes")) {
    volumes.add(volume.text("name") ?? "");
    const given = volumeKinds.filter((kind) => volume.get(kind) !== null);
    for (const kind of given.slice(1)) {
      const at = volume.get(kind) ?? volume;
      object.refuse(at, "invalid-value", "may not specify more than 1 volume type.");
    }
  }
  const names = new Set<string>();
  for (const container of [...pod.items("initContainers"), ...pod.items("containers")]) {
    checkContainer(object, container, { volumes, names });
  }
}

function checkContainer(
  object: ApiObject,
  container: Value,
  { volumes, names }: { volumes: ReadonlySet<string>; names: Set<string> },
): void {
  const name = container.get("name");
  const text = container.text("name");
  if (name !== null && text !== null) {
    if (!dnsLabel.test(text)) {
      const wanted = 'a name has at most 63 of a-z, 0-9 and "-"';
      object.refuse(name, "invalid-value", `Invalid value: ${quote(text)}: ${wanted}.`);
    } else if (names.has(text)) {
      // Within one list the shape has said it.
      const said = object.broken;
      if (!said) object.refuse(name, "duplicate-value", `Duplicate value: ${quote(text)}.`);
    }
    names.add(text);
  }
  checkPorts(object, container);
  for (const env of container.items("env")) checkEnv(object, env);
  checkMounts(object, container, volumes);
  checkResources(object, container);
  for (const key of ["livenessProbe", "readinessProbe", "startupProbe"]) {
    const probe = container.get(key);
    if (probe !== null) checkProbe(object, probe);
  }
}

function checkPorts(object: ApiObject, container: Value): void {
  const names = new Set<string>();
  for (const port of container.items("ports")) {
    checkPort(object, port.get("containerPort"));
    const at = port.get("name");
    const name = port.text("name");
    if (at === null || name === null) continue;
    if (!portName.test(name)) {
      const wanted = 'a port\'s name has at most 15 of a-z, 0-9 and "-", a letter among them';
      object.refuse(at, "invalid-value", `Invalid value: ${quote(name)}: ${wanted}.`);
    }
    if (names.has(name)) {
      object.refuse(at, "duplicate-value", `Duplicate value: ${quote(name)}.`);
    }
    names.add(name);
  }
}

/** A port's number, where one is given; names pass. */
export function checkPort(object: ApiObject, at: Value | null): void {
  const port = at === null ? null : intOf(at.node);
  if (at === null || port === null || (port >= 1 && port <= 65535)) return;
  const what = `Invalid value: ${port}: must be between 1 and 65535, inclusive.`;
  object.refuse(at, "invalid-value", what);
}

function checkEnv(object: ApiObject, env: Value): void {
  const at = env.get("name");
  const name = env.text("name");
  if (at !== null && name !== null && (!envName.test(name) || name === "__proto__")) {
    const wanted = 'a name of a variable has letters, digits, "_", "-" and ".", and no digit first';
    object.refuse(at, "invalid-value", `Invalid value: ${quote(name)}: ${wanted}.`);
  }
  const from = env.get("valueFrom");
  if (from === null) return;
  if ((env.text("value") ?? "") !== "") {
    const what = "Invalid value: may not be specified when `value` is not empty.";
    object.refuse(from, "invalid-value", what);
  }
  const given = envSources.filter((each) => from.get(each) !== null);
  if (given.length === 1) return;
  const what =
    given.length === 0
      ? `must specify one of: ${envSources.join(", ")}.`
      : "may not have more than one field specified at a time.";
  object.refuse(from, "invalid-value", `Invalid value: ${what}`);
}

function checkMounts(object: ApiObject, container: Value, volumes: ReadonlySet<string>): void {
  const paths = new Set<string>();
  for (const mount of container.items("volumeMounts")) {
    const [nameAt, pathAt] = [mount.get("name"), mount.get("mountPath")];
    const [name, path] = [mount.text("name"), mount.text("mountPath")];
    if (nameAt !== null && name !== null && !volumes.has(name)) {
      object.refuse(nameAt, "not-found", `Not found: ${quote(name)}: no volume has this name.`);
    }
    if (pathAt !== null && path !== null) {
      if (paths.has(path)) {
        const what = `Invalid value: ${quote(path)}: must be unique.`;
        object.refuse(pathAt, "invalid-value", what);
      }
      paths.add(path);
    }
  }
}

function checkResources(object: ApiObject, container: Value): void {
  const limits = container.at("resources", "limits");
  for (const { name, value } of container.at("resources", "requests")?.entries ?? []) {
    const limit = limits?.get(name) ?? null;
    const [asked, most] = [
      parseQuantity(value.raw),
      limit === null ? null : parseQuantity(limit.raw),
    ];
    if (limit === null || asked === null || most === null || asked <= most) continue;
    const what = `must be less than or equal to ${name} limit of ${limit.raw}`;
    object.refuse(value, "invalid-value", `Invalid value: ${quote(value.raw)}: ${what}.`);
  }
}

function checkProbe(object: ApiObject, probe: Value): void {
  const given = handlers.filter((each) => probe.get(each) !== null);
  if (given.length === 0) {
    object.refuse(probe, "required-value", "Required value: must specify a handler type.");
  }
  for (const each of given.slice(1)) {
    const at = probe.get(each) ?? probe;
    object.refuse(at, "invalid-value", "Forbidden: may not specify more than 1 handler type.");
  }
  const exec = probe.get("exec");
  if (exec !== null && exec.items("command").length === 0) {
    const at = new Value(exec.node, join(exec.path, "command"));
    object.refuse(at, "required-value", "Required value.");
  }
  for (const each of ["grpc", "httpGet", "tcpSocket"]) checkPort(object, probe.at(each, "port"));
  for (const name of ["periodSeconds", "timeoutSeconds", "successThreshold", "failureThreshold"]) {
    atLeast(object, probe.get(name), 1);
  }
  atLeast(object, probe.get("initialDelaySeconds"), 0);
}

/** 0 counts as absent there, as the API fills it in. */
function atLeast(object: ApiObject, at: Value | null, least: number): void {
  const number = at === null ? null : intOf(at.node);
  if (at === null || number === null || number === 0 || number >= least) return;
  const what = `must be greater than or equal to ${least === 0 ? 0 : 1}`;
  object.refuse(at, "invalid-value", `Invalid value: ${number}: ${what}.`);
}
