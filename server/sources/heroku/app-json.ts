import { known, unknown } from "../../protocol/fact.ts";
import type { Fact, Place } from "../../protocol/fact.ts";
import type { EnvValue, SourceService } from "../../protocol/service.ts";
import type { LeftOut } from "../../protocol/source-model.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import { dynoMemory } from "./platform.ts";

/** What app.json says besides its add-ons (https://devcenter.heroku.com/articles/app-json-schema). */
export interface AppJson {
  readonly name: Fact<string> | null;
  readonly env: ReadonlyMap<string, Fact<EnvValue>>;
  readonly formation: ReadonlyMap<string, Formation>;
  readonly scripts: readonly Script[];
}

export interface Formation {
  readonly key: Cursor;
  readonly replicas: Fact<number> | null;
  readonly memory: Fact<number | null> | null;
}

export interface Script {
  readonly name: string;
  readonly command: string;
  readonly where: Place;
}

const people = "It describes the app, for people.";
const notHere = "Only Heroku does this.";

/** Keys that are passed over, with the reason. */
const unread: Readonly<Record<string, string>> = {
  $schema: people,
  description: people,
  keywords: people,
  logo: people,
  repository: people,
  website: people,
  success_url: notHere,
  buildpacks: "Images are not built by buildpacks.",
  image: "The image of the build is Heroku's own.",
  stack: "The image of the build is Heroku's own.",
  environments: "Only production's own settings are read, not those of review apps and tests.",
};

const read = ["name", "env", "formation", "addons", "scripts"];

export function readAppJson(top: MapCursor, leftOut: LeftOut[]): AppJson {
  for (const { name, key } of top.entries) {
    if (read.includes(name)) continue;
    const why = Object.hasOwn(unread, name) ? unread[name] : undefined;
    leftOut.push({ what: name, why: why ?? "Oneloop does not know it.", where: key.where });
  }
  const name = top.get("name");
  const text = name?.string() ?? null;
  return {
    name: name === null || text === null ? null : name.fact(text),
    env: readEnv(top, leftOut),
    formation: readFormation(top, leftOut),
    scripts: readScripts(top, leftOut),
  };
}

function readEnv(top: MapCursor, leftOut: LeftOut[]): Map<string, Fact<EnvValue>> {
  const env = new Map<string, Fact<EnvValue>>();
  for (const { name, key, value } of top.get("env")?.map()?.entries ?? []) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || name === "__proto__") {
      key.error("bad-env-name", `${quote(name)} is no name of a variable: use A-Z, 0-9 and "_".`);
      continue;
    }
    const fact = readVariable(name, value, leftOut);
    if (fact !== null) env.set(name, fact);
  }
  return env;
}

function readVariable(name: string, value: Cursor, leftOut: LeftOut[]): Fact<EnvValue> | null {
  if (value.plain !== null) {
    const text = value.string();
    return text === null ? null : value.fact({ kind: "literal", value: text });
  }
  const map = value.map();
  if (map === null) return null;
  for (const each of map.entries) {
    if (["value", "generator", "required", "description"].includes(each.name)) continue;
    const what = `${quote(each.name)} of ${name}`;
    leftOut.push({ what, why: "Oneloop does not know it.", where: each.key.where });
  }
  const given = map.get("value");
  const required = map.get("required")?.boolean() ?? true;
  const generator = map.get("generator");
  if (generator !== null) {
    if (generator.string() !== "secret") {
      generator.error("bad-choice", "The only generator is `secret`: use it, or give a value.");
    }
    return generator.fact({ kind: "secretRef", secret: "generated", key: name });
  }
  if (given !== null) {
    const text = given.string();
    return text === null ? null : given.fact({ kind: "literal", value: text });
  }
  const why = "It need not be set, and app.json gives no value.";
  return map.self.fact(required ? { kind: "fromUser", name } : { kind: "unknown", why });
}

function readFormation(top: MapCursor, leftOut: LeftOut[]): Map<string, Formation> {
  const formation = new Map<string, Formation>();
  for (const { name, key, value } of top.get("formation")?.map()?.entries ?? []) {
    const map = value.map();
    if (map === null) continue;
    for (const each of map.entries) {
      if (["quantity", "size"].includes(each.name)) continue;
      const what = `${quote(each.name)} of ${quote(name)}`;
      leftOut.push({ what, why: "Oneloop does not know it.", where: each.key.where });
    }
    formation.set(name, {
      key,
      replicas: readQuantity(map.get("quantity")),
      memory: readSize(map.get("size"), leftOut),
    });
  }
  return formation;
}

function readQuantity(cursor: Cursor | null): Fact<number> | null {
  const quantity = cursor?.integer() ?? null;
  if (cursor === null || quantity === null) return null;
  if (quantity >= 0) return cursor.fact(quantity);
  cursor.error("bad-quantity", "How many run cannot be less than 0.");
  return null;
}

function readSize(
  cursor: Cursor | null,
  leftOut: LeftOut[],
): SourceService["memoryLimitBytes"] | null {
  const size = cursor?.string() ?? null;
  if (cursor === null || size === null) return null;
  const bytes = dynoMemory.get(size.toLowerCase());
  if (bytes !== undefined) return known(bytes, cursor.where);
  const why = "Oneloop does not know the memory of a dyno of this size.";
  leftOut.push({ what: `size ${quote(size)}`, why, where: cursor.where });
  return unknown(why, cursor.where);
}

function readScripts(top: MapCursor, leftOut: LeftOut[]): Script[] {
  return (top.get("scripts")?.map()?.entries ?? []).flatMap(({ name, key, value }) => {
    if (value.isNull) return [];
    const map = value.plain === null ? value.map() : null;
    const size = map?.key("size") ?? null;
    if (size !== null) {
      const what = `size of ${quote(name)}`;
      leftOut.push({ what, why: "It runs with its process's memory.", where: size.where });
    }
    const line = map === null ? value : map.required("command", '"rake db:seed"');
    const command = line?.string() ?? null;
    return command === null || command === "" ? [] : [{ name, command, where: key.where }];
  });
}
