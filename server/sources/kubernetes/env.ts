import { known } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { EnvValue, SourceService } from "../../protocol/service.ts";
import type { Cluster } from "./cluster.ts";
import { expandValue, literal } from "./expand.ts";
import type { ApiObject } from "./object.ts";
import type { Value } from "./value.ts";

/** Linux takes no more for a program's arguments and environment together (ARG_MAX). */
const maxEnvironmentChars = 2 * 1024 * 1024;

const envName = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;

export interface Environment {
  readonly env: SourceService["env"];
  readonly envElsewhere: Fact<string>[];
  /** Values by name, for what stands after. */
  readonly variables: ReadonlyMap<string, EnvValue>;
}

/**
 * The environment of a container: `envFrom` first, where the later map counts, then `env`, where
 * `$(NAME)` stands for what is set before (core/v1, EnvVar).
 */
export function readEnv(container: Value, object: ApiObject, cluster: Cluster): Environment {
  const env = new Map<string, Fact<EnvValue>>();
  const variables = new Map<string, EnvValue>();
  const envElsewhere: Fact<string>[] = [];
  let chars = 0;
  const set = (name: string, given: Fact<EnvValue>): void => {
    if (given.known && given.value.kind === "literal") chars += given.value.value.length;
    const why = "The environment is too long for a program.";
    const fact = chars > maxEnvironmentChars ? known(unknownValue(why), given.where) : given;
    env.set(name, fact);
    if (fact.known) variables.set(name, fact.value);
  };
  for (const source of container.items("envFrom")) {
    const elsewhere = addAll(source, { object, cluster }, set);
    if (elsewhere !== null) envElsewhere.push(elsewhere);
  }
  const own = new Set<string>();
  for (const item of container.items("env")) {
    const name = item.text("name");
    if (name === null || name === "__proto__") continue;
    if (own.has(name)) {
      const what = `hides previous definition of ${JSON.stringify(name)}: remove one.`;
      object.warn(item.get("name") ?? item, "duplicate-env", what);
    }
    own.add(name);
    const value = readValue(item, { object, cluster }, variables);
    if (value !== null) set(name, value);
  }
  return { env: Object.fromEntries(env), envElsewhere, variables };
}

interface Context {
  readonly object: ApiObject;
  readonly cluster: Cluster;
}

/** Sets what a whole map says; where the map is not in the files: what, and where. */
function addAll(
  source: Value,
  { object, cluster }: Context,
  set: (name: string, fact: Fact<EnvValue>) => void,
): Fact<string> | null {
  const prefix = source.text("prefix") ?? "";
  const kind = source.get("configMapRef") === null ? "Secret" : "ConfigMap";
  const at = source.get("configMapRef") ?? source.get("secretRef");
  const name = at?.text("name") ?? null;
  if (at === null || name === null) return null;
  const map = cluster.find(kind, object, name);
  if (map === null) {
    const optional = at.bool("optional") === true ? ", if it is there" : "";
    return at.fact(`All of ${kind} ${name}${optional}, which is not in these files.`);
  }
  for (const { key, where, value } of dataOf(map)) {
    const variable = `${prefix}${key}`;
    if (!envName.test(variable) || variable === "__proto__") {
      const why = `It is no name of a variable: Kubernetes leaves it out of ${kind}/${name} too.`;
      object.leave(at, why, `${at.path}, key ${variable}`);
      continue;
    }
    const from: EnvValue =
      kind === "Secret" ? { kind: "secretRef", secret: name, key } : literal(value ?? "");
    set(variable, known(from, kind === "Secret" ? at.where : where));
  }
  return null;
}

/** The keys of a ConfigMap with their texts, or of a Secret without. */
export function dataOf(map: ApiObject) {
  const secret = map.kind === "Secret";
  const names = secret ? ["data", "stringData"] : ["data"];
  return names.flatMap((name) =>
    (map.root.get(name)?.entries ?? []).map((entry) => ({
      key: entry.name,
      where: entry.key.where,
      value: secret ? null : String(entry.value.scalar),
    })),
  );
}

function readValue(
  item: Value,
  context: Context,
  variables: ReadonlyMap<string, EnvValue>,
): Fact<EnvValue> | null {
  const from = item.get("valueFrom");
  if (from === null) {
    const at = item.get("value");
    return (at ?? item).fact(expandValue(item.text("value") ?? "", variables));
  }
  const secret = from.get("secretKeyRef");
  if (secret !== null) {
    const [name, key] = [secret.text("name") ?? "", secret.text("key") ?? ""];
    return secret.fact({ kind: "secretRef", secret: name, key });
  }
  const map = from.get("configMapKeyRef");
  if (map !== null) return readConfigKey(map, context);
  const field =
    from.at("fieldRef")?.text("fieldPath") ?? from.at("resourceFieldRef")?.text("resource");
  const why =
    field === null || field === undefined
      ? "Its value is known only in the cluster."
      : `It is the pod's own ${field}, which is known only in the cluster.`;
  return from.fact(unknownValue(why));
}

/** Null: the key may be absent, and is. */
function readConfigKey(at: Value, { object, cluster }: Context): Fact<EnvValue> | null {
  const [name, key] = [at.text("name") ?? "", at.text("key") ?? ""];
  const map = cluster.find("ConfigMap", object, name);
  if (map === null) {
    const why = `ConfigMap ${name} is not in these files.`;
    return at.fact(unknownValue(why));
  }
  const entry = map.root.get("data")?.entries.find((each) => each.name === key);
  if (entry !== undefined) return known(literal(String(entry.value.scalar)), entry.value.where);
  if (at.bool("optional") === true) return null;
  const what = `ConfigMap ${JSON.stringify(name)} has no key ${JSON.stringify(key)}`;
  object.warn(at.get("key") ?? at, "not-found", `${what}: the container would not start.`);
  return at.fact(unknownValue(`ConfigMap ${name} has no such key.`));
}

function unknownValue(why: string): EnvValue {
  return { kind: "unknown", why };
}
