import { createHmac } from "node:crypto";
import type { WorkspacePlan } from "../../protocol/plan.ts";
import type { PlannedService, ValuePart } from "../../protocol/service.ts";
import { secretVariable } from "./secrets.ts";

export interface Values {
  /** The user's own, by their names. */
  readonly variables: Readonly<Record<string, string>>;
  /** For a secret that the user gives no value to; the same at each start of a workspace. */
  readonly made: (secret: string, key: string) => string;
}

/**
 * A plan in which all values are there: what was put together of texts, secrets and the user's
 * variables stands in `env` and in the files. A variable that nobody gave is left out, so that the
 * program's own default holds. Pure.
 */
export function fillValues(plan: WorkspacePlan, values: Values): WorkspacePlan {
  return { ...plan, services: plan.services.map((service) => fillService(service, values)) };
}

/** What nobody gave, of all that a plan's services ask their user for. */
export function missingVariables(
  plan: WorkspacePlan,
  variables: Readonly<Record<string, string>>,
): string[] {
  const asked = plan.services.flatMap(({ mirror }) =>
    Object.values(mirror?.composedEnv ?? {}).flatMap((parts) =>
      parts.flatMap((part) => ("variable" in part ? [part.variable] : [])),
    ),
  );
  return [...new Set(asked)].filter((name) => !Object.hasOwn(variables, name)).sort();
}

/** 24 letters and digits, which every protocol's URLs and files take: some 140 bits. */
const madeChars = 24;

/** A secret of one workspace, from the installation's key: nothing has to be kept. */
export function makeSecret(secretKey: string, workspaceId: string) {
  return (secret: string, key: string): string => {
    const about = JSON.stringify(["oneloop made secret v1", workspaceId, secret, key]);
    const hash = createHmac("sha512", secretKey).update(about).digest("base64");
    return hash.replaceAll(/[^A-Za-z0-9]/g, "").slice(0, madeChars);
  };
}

/** One service of a plan, filled. */
export function fillService(service: PlannedService, values: Values): PlannedService {
  const { mirror } = service;
  if (mirror === undefined) return service;
  const composed = new Map<string, string>();
  for (const [name, parts] of Object.entries(mirror.composedEnv)) {
    const value = fillParts(parts, values);
    if (value !== null) composed.set(name, value);
  }
  const expanded = (argument: string): string =>
    argument.replaceAll(
      /\$\(([^()]+)\)/g,
      (whole, name: string) =>
        composed.get(name) ?? (Object.hasOwn(mirror.composedEnv, name) ? "" : whole),
    );
  return {
    ...service,
    env: { ...service.env, ...Object.fromEntries(composed) },
    command: service.command?.map(expanded) ?? null,
    args: service.args?.map(expanded) ?? null,
    mirror: {
      ...mirror,
      composedEnv: {},
      files: mirror.files.map((file) =>
        file.content.kind === "text"
          ? {
              ...file,
              content: {
                kind: "text",
                parts: [{ text: fillParts(file.content.parts, values) ?? "" }],
              },
            }
          : file,
      ),
    },
  };
}

/** Null where a variable of the user is missing. */
export function fillParts(parts: readonly ValuePart[], { variables, made }: Values): string | null {
  let text = "";
  for (const part of parts) {
    if ("text" in part) text += part.text;
    else if ("secret" in part) {
      const name = secretVariable(part.secret, part.key);
      text += Object.hasOwn(variables, name)
        ? (variables[name] ?? "")
        : made(part.secret, part.key);
    } else {
      if (!Object.hasOwn(variables, part.variable)) return null;
      text += variables[part.variable] ?? "";
    }
  }
  return text;
}
