import type { ConfigFile, EnvValue, SourceService, ValuePart } from "../../protocol/service.ts";
import type { PlannedFile } from "../../protocol/service.ts";
import type { Facts } from "../facts.ts";
import type { Secrets } from "./secrets.ts";

interface Context {
  readonly facts: Facts;
  readonly secrets: Secrets;
  /** The name of the service. */
  readonly name: string;
}

/** The environment of a service of production: what is known, and what is put together at the start. */
export function planEnv(
  service: SourceService,
  { facts, secrets, name }: Context,
): { env: Record<string, string>; composedEnv: Record<string, ValuePart[]> } {
  const env: Record<string, string> = {};
  const composedEnv: Record<string, ValuePart[]> = {};
  for (const [key, fact] of Object.entries(service.env)) {
    const what = `environment variable ${key} of service ${name}`;
    const value: EnvValue = fact.known ? fact.value : { kind: "unknown", why: fact.why };
    switch (value.kind) {
      case "literal":
        env[key] = value.value;
        break;
      case "secretRef":
        secrets.add(value, { service: name, where: fact.where });
        composedEnv[key] = [{ secret: value.secret, key: value.key }];
        break;
      case "composed":
        for (const part of value.parts) {
          if ("secret" in part) secrets.add(part, { service: name, where: fact.where });
        }
        composedEnv[key] = [...value.parts];
        break;
      case "fromUser":
        composedEnv[key] = [{ variable: value.name }];
        break;
      case "unknown":
        facts.leftOut.push({ what, why: value.why, where: fact.where });
        break;
      default:
        value satisfies never;
    }
  }
  for (const fact of service.envElsewhere) {
    facts.leftOut.push({
      what: `more environment variables of service ${name}`,
      why: fact.known ? `They come from ${fact.value}, which was not read.` : fact.why,
      where: fact.where,
    });
  }
  return { env, composedEnv };
}

/** The files of a service of production; one whose content nobody knows is listed. */
export function planFiles(
  service: SourceService,
  { facts, secrets, name }: Context,
): PlannedFile[] {
  return service.files.flatMap((fact) => {
    if (!fact.known) {
      facts.leftOut.push({ what: `a file of service ${name}`, why: fact.why, where: fact.where });
      return [];
    }
    const { path, mode, content } = fact.value;
    const planned = contentOf(content);
    if (planned === null) {
      const why = content.kind === "unknown" ? content.why : "";
      facts.leftOut.push({ what: `file ${path} of service ${name}`, why, where: fact.where });
      return [];
    }
    if (content.kind === "secretRef") secrets.add(content, { service: name, where: fact.where });
    return [{ path, mode, content: planned }];
  });
}

function contentOf(content: ConfigFile["content"]): PlannedFile["content"] | null {
  switch (content.kind) {
    case "literal":
      return { kind: "text", parts: [{ text: content.text }] };
    case "secretRef":
      return { kind: "text", parts: [{ secret: content.secret, key: content.key }] };
    case "repository":
      return content;
    case "unknown":
      return null;
    default:
      return content satisfies never;
  }
}
