import { resolve } from "node:path/posix";
import type { Task } from "../protocol/plan.ts";
import type { PlannedService } from "../protocol/service.ts";
import type { SourceModel, SourceTask } from "../protocol/source-model.ts";
import { supervisorMount } from "../protocol/supervisor.ts";
import type { Facts } from "./facts.ts";

/** In the supervisor's volume: clones a dotfiles repository and runs its installer. */
const dotfilesProgram = `${supervisorMount}/bin/oneloop-dotfiles`;

/** When the tasks of an event run; null: nothing runs them yet. */
const phaseOf = {
  preStart: null,
  postStart: "start",
  preStop: "stop",
  postStop: null,
} as const satisfies Record<NonNullable<SourceTask["event"]>, Task["phase"] | null>;

/**
 * The tasks of the dev service's supervisor: its own command, those of the source's events, and the
 * user's dotfiles. Tasks of other services are listed as left out; tasks of no event are not in a
 * plan. `names` has the plan's name of each task of the source.
 */
export function planTasks(
  model: SourceModel,
  { dev, dotfilesUrl }: { dev: PlannedService; dotfilesUrl: string | null },
  facts: Facts,
): { tasks: Task[]; names: ReadonlyMap<SourceTask, string> } {
  const tasks = [devTask(dev)];
  const names = new Map<SourceTask, string>();
  const free = freeNames(model, dev.name);
  /** What stands for a task where another needs it: itself, or, left out, what it needed. */
  const standIns = new Map<string, readonly string[]>();
  for (const task of model.tasks) {
    if (task.event === null) continue;
    const needs = [...new Set(task.needs.flatMap((name) => standIns.get(name) ?? []))];
    const runnable = runnableOf(task, { dev, facts });
    if (runnable === null) {
      standIns.set(task.name, needs);
      continue;
    }
    const name = free(task.name);
    tasks.push({ name, in: dev.name, oncePer: "start", needs, ...runnable });
    names.set(task, name);
    standIns.set(task.name, [name]);
  }
  if (dotfilesUrl !== null) tasks.push(dotfilesTask(free("dotfiles"), dev, dotfilesUrl));
  return { tasks, names };
}

function devTask(dev: PlannedService): Task {
  return {
    name: dev.name,
    phase: "start",
    in: dev.name,
    oncePer: "start",
    needs: [],
    command: dev.command === null ? null : [...dev.command, ...(dev.args ?? [])],
    terminal: true,
  };
}

/** Nothing needs it: whatever becomes of it, the workspace starts. */
function dotfilesTask(name: string, dev: PlannedService, url: string): Task {
  return {
    name,
    // Beside the others: a slow dotfiles repository keeps nobody's program from its start.
    phase: "start",
    in: dev.name,
    oncePer: "workspace",
    needs: [],
    command: [dotfilesProgram, url],
    terminal: true,
  };
}

/** Names of tasks are unique in a plan: the second of one name gets a number. */
function freeNames({ tasks }: SourceModel, taken: string): (name: string) => string {
  const used = new Set([taken]);
  const given = new Set(tasks.map(({ name }) => name));
  return (name) => {
    let free = name;
    for (let count = 2; used.has(free); count += 1) {
      const numbered = `${name}-${count}`;
      if (!given.has(numbered)) free = numbered;
    }
    used.add(free);
    return free;
  };
}

type Runnable = Pick<Task, "phase" | "command" | "cwd" | "env" | "terminal">;

/** Null, and listed, when the supervisor cannot run it. */
function runnableOf(
  task: SourceTask,
  { dev, facts }: { dev: PlannedService; facts: Facts },
): Runnable | null {
  const what = `task ${task.name}`;
  const leaveOut = (why: string) => {
    facts.leftOut.push({ what, why, where: task.where });
    return null;
  };
  const phase = task.event === null ? null : phaseOf[task.event];
  if (phase === null) return leaveOut(`Nothing runs at ${task.event} yet.`);
  const { service, commandLine } = task;
  if (!service.known) return leaveOut(service.why);
  if (!commandLine.known) return leaveOut(commandLine.why);
  if (service.value !== dev.name) {
    return leaveOut(
      `It runs in component ${service.value}, which has no supervisor yet; only ${dev.name} has one.`,
    );
  }
  const env = taskEnv(task, facts);
  return {
    phase,
    // The container's own shell; where it has none, PATH ends at the supervisor's.
    command: ["sh", "-c", commandLine.value],
    cwd: workingDir(task, { env: { ...dev.env, ...env }, facts }),
    env,
    terminal: true,
  };
}

function taskEnv(task: SourceTask, facts: Facts): Record<string, string> {
  const entries = task.env.flatMap(({ name, value }) => {
    if (value.known) return [[name, value.value] as const];
    const what = `environment variable ${name} of task ${task.name}`;
    facts.leftOut.push({ what, why: value.why, where: value.where });
    return [];
  });
  return Object.fromEntries(entries);
}

/**
 * Absolute. Where the source says nothing, and where it names what is not known before the container
 * runs, the project's folder; null, where a shell starts, in a service without the source.
 */
function workingDir(
  task: SourceTask,
  { env, facts }: { env: Readonly<Record<string, string>>; facts: Facts },
): string | null {
  const source = env["PROJECT_SOURCE"] ?? null;
  const what = `working directory of task ${task.name}`;
  const given = facts.prefer(task.workingDir, { what, otherwise: null });
  if (given === null) return source;
  const path = expand(given, env);
  if ("missing" in path || (source === null && !path.text.startsWith("/"))) {
    const reason =
      "missing" in path
        ? `${path.missing} is not known before the container runs`
        : "It is relative to the source, which this service does not have";
    const instead = source === null ? "where a shell starts" : `in ${source}`;
    const why = `${reason}: the task begins ${instead}.`;
    facts.leftOut.push({ what, why, where: task.workingDir.where });
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
