import { known, unknown } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { ConfigFile } from "../../protocol/service.ts";
import { quote } from "../yaml/source-text.ts";
import { configKeys, fileKeys, secretKeys } from "./keys.ts";
import { entry, textOf, whyUnset } from "./part.ts";
import type { Mark, Part } from "./part.ts";
import { resolvePath, whyOutside } from "./paths.ts";
import { referredTo } from "./project.ts";
import type { Project, Resource } from "./project.ts";
import { Section } from "./section.ts";
import { anyText, mode } from "./values.ts";

type Content = ConfigFile["content"];

interface Kind {
  readonly one: "config" | "secret";
  readonly list: "configs" | "secrets";
  /** Where a target without a slash at its beginning lies. */
  readonly folder: string;
  readonly content: (name: string, resource: Resource) => Content;
}

const kinds: readonly Kind[] = [
  { one: "config", list: "configs", folder: "/", content: configContent },
  { one: "secret", list: "secrets", folder: "/run/secrets/", content: secretContent },
];

/** The `configs` and `secrets` of a service: files in its container. */
export function readConfigFiles(service: Section, project: Project): Fact<ConfigFile>[] {
  return kinds.flatMap((kind) =>
    service.items(kind.list).flatMap((item) => {
      const fact = readOne(service, item, { kind, project });
      return fact === null ? [] : [fact];
    }),
  );
}

function readOne(
  service: Section,
  item: Part,
  { kind, project }: { kind: Kind; project: Project },
): Fact<ConfigFile> | null {
  const { one, list, folder, content } = kind;
  const long = item.kind === "map" ? item : null;
  const section = long && new Section(long, `${one} of ${service.of}`, service.leftOut);
  section?.check(fileKeys);
  const sourcePart = long === null ? item : entry(long, "source");
  if (sourcePart === null) {
    item.mark.error("missing-key", `The key \`source\` is missing: name the ${one}.`);
    return null;
  }
  const name = textOf(sourcePart);
  const why = sourcePart.kind === "scalar" ? whyUnset(sourcePart) : null;
  if (why !== null) return unknown(why, item.mark.where);
  if (name === null) return null;
  const resource = referredTo(project, { mark: sourcePart.mark, name, one }, project[list]);
  if (resource === undefined) return null;
  const target = section?.value("target", anyText) ?? name;
  return known(
    {
      path: target.startsWith("/") ? target : `${folder}${target}`,
      mode: section?.value("mode", mode) ?? null,
      content: content(name, resource),
    },
    item.mark.where,
  );
}

/** A secret by its name only: whatever holds it is not opened. */
function secretContent(name: string, { section }: Resource): Content {
  const secret = section.value("name", anyText) ?? name;
  return { kind: "secretRef", secret, key: name };
}

function configContent(name: string, { section }: Resource): Content {
  const text = section.get("content");
  if (text !== null) return literal(text);
  const file = section.get("file");
  if (file !== null) {
    const path = textOf(file);
    const why = file.kind === "scalar" ? whyUnset(file) : null;
    if (path === null || why !== null) return { kind: "unknown", why: why ?? "This is no path." };
    const resolved = resolvePath(file.mark.origin.folder, path);
    return "path" in resolved
      ? { kind: "repository", path: resolved.path }
      : { kind: "unknown", why: `It is not in the repository: ${whyOutside(resolved)}.` };
  }
  const variable = section.value("environment", anyText);
  const given = variable === null ? undefined : section.map.mark.origin.env.get(variable);
  if (given !== undefined) return { kind: "literal", text: given };
  const why =
    variable === null
      ? `The config ${quote(name)} is kept outside the project.`
      : `${variable} is not set.`;
  return { kind: "unknown", why };
}

function literal(part: Part): Content {
  const why = part.kind === "scalar" ? whyUnset(part) : null;
  const text = textOf(part);
  if (text === null || why !== null) return { kind: "unknown", why: why ?? "This is no text." };
  return { kind: "literal", text };
}

/** What a config or secret of the top level has to say, and what is not read of it. */
export function checkConfigs(project: Project): void {
  const all = [
    { one: "config", keys: configKeys, things: project.configs },
    { one: "secret", keys: secretKeys, things: project.secrets },
  ];
  for (const { one, keys, things } of all) {
    for (const [name, { key, section }] of things) {
      section.check(keys);
      checkSources({ one, name, key }, section);
    }
  }
}

function checkSources(
  { one, name, key }: { one: string; name: string; key: Mark },
  section: Section,
): void {
  const sources = ["file", "environment", "content", "external", "driver"].filter(
    (each) => section.get(each) !== null,
  );
  if (sources.length > 0) return;
  key.error(
    "missing-key",
    `The ${one} ${quote(name)} comes from nowhere: add \`file:\`, \`environment:\` or \`external:\`.`,
  );
}
