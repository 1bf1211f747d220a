import { resolve } from "node:path/posix";
import type { Fact, Place } from "../protocol/fact.ts";
import type { PlannedService } from "../protocol/service.ts";
import type { SourceTask } from "../protocol/source-model.ts";
import type { Facts } from "./facts.ts";

/** A line for a shell, as a source has it. */
export type SourceLine = Pick<SourceTask, "service" | "commandLine" | "workingDir" | "env">;

interface LineContext {
  /** What the line is called in sentences, such as `task build`. */
  readonly what: string;
  readonly where: Place;
  readonly dev: PlannedService;
  readonly facts: Facts;
}

/** The line in plain values. */
export interface PlannedLine {
  readonly line: string;
  /** Absolute; null: where a shell starts. */
  readonly cwd: string | null;
  /** Beyond the service's own. */
  readonly env: Record<string, string>;
}

/** Null, and listed, when the dev service's supervisor cannot run it. */
export function planLine(
  { service, commandLine, workingDir: folder, env: given }: SourceLine,
  { what, where, dev, facts }: LineContext,
): PlannedLine | null {
  const leaveOut = (why: string): null => {
    facts.leftOut.push({ what, why, where });
    return null;
  };
  if (!service.known) return leaveOut(service.why);
  if (!commandLine.known) return leaveOut(commandLine.why);
  if (service.value !== dev.name) {
    return leaveOut(
      `It runs in component ${service.value}, which has no supervisor yet; only ${dev.name} has one.`,
    );
  }
  const env = lineEnv(given, { what, facts });
  const cwd = workingDir(folder, { what, env: { ...dev.env, ...env }, facts });
  return { line: commandLine.value, cwd, env };
}

function lineEnv(
  env: SourceLine["env"],
  { what, facts }: Pick<LineContext, "what" | "facts">,
): Record<string, string> {
  const entries = env.flatMap(({ name, value }) => {
    if (value.known) return [[name, value.value] as const];
    facts.leftOut.push({
      what: `environment variable ${name} of ${what}`,
      why: value.why,
      where: value.where,
    });
    return [];
  });
  return Object.fromEntries(entries);
}

/**
 * Absolute. Where the source says nothing, and where it names what is not known before the container
 * runs, the project's folder; null, where a shell starts, in a service without the source.
 */
function workingDir(
  fact: Fact<string | null>,
  {
    what: of,
    env,
    facts,
  }: Pick<LineContext, "what" | "facts"> & { env: Readonly<Record<string, string>> },
): string | null {
  const source = env["PROJECT_SOURCE"] ?? null;
  const what = `working directory of ${of}`;
  const given = facts.prefer(fact, { what, otherwise: null });
  if (given === null) return source;
  const path = expand(given, env);
  if ("missing" in path || (source === null && !path.text.startsWith("/"))) {
    const reason =
      "missing" in path
        ? `${path.missing} is not known before the container runs`
        : "It is relative to the source, which this service does not have";
    const instead = source === null ? "where a shell starts" : `in ${source}`;
    const why = `${reason}: it begins ${instead}.`;
    facts.leftOut.push({ what, why, where: fact.where });
    return source;
  }
  return resolve(source ?? "/", path.text);
}

/** `$NAME`, `${NAME}` and a `~` in front, as a shell would expand them. */
function expand(
  text: string,
  env: Readonly<Record<string, string>>,
): { text: string } | { missing: string } {
  let missing: string | null = null;
  const replaced = text
    .replace(/^~(?=\/|$)/, "${HOME}")
    .replaceAll(/\$(?:\{([^{}]*)\}|(\w+))?/g, (whole: string, braced?: string, bare?: string) => {
      const name = braced ?? bare ?? "";
      const value = Object.hasOwn(env, name) ? env[name] : undefined;
      if (value === undefined) missing ??= whole;
      return value ?? "";
    });
  return missing === null ? { text: replaced } : { missing };
}
