import type { Task } from "../protocol/plan.ts";
import type { PlannedService } from "../protocol/service.ts";
import type { SourceModel, SourceTask } from "../protocol/source-model.ts";
import { supervisorMount } from "../protocol/supervisor.ts";
import type { Facts } from "./facts.ts";
import { planLine } from "./lines.ts";

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
    const wanted = [...new Set(task.needs.flatMap((name) => standIns.get(name) ?? []))];
    const runnable = runnableOf(task, { dev, facts });
    if (runnable === null) {
      standIns.set(task.name, wanted);
      continue;
    }
    const name = free(task.name);
    // What runs at every start comes after what runs once, wherever it stands in the source.
    const late = new Set(tasks.filter(({ phase }) => phase === "start").map((one) => one.name));
    const needs = runnable.phase === "create" ? wanted.filter((one) => !late.has(one)) : wanted;
    tasks.push({ name, in: dev.name, needs, ...runnable });
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

type Runnable = Pick<Task, "phase" | "oncePer" | "command" | "cwd" | "env" | "terminal">;

/** Null, and listed, when the supervisor cannot run it. */
function runnableOf(
  task: SourceTask,
  context: { dev: PlannedService; facts: Facts },
): Runnable | null {
  const what = `task ${task.name}`;
  const phase = task.event === null ? null : phaseOf[task.event];
  if (phase === null) {
    const why = `Nothing runs at ${task.event} yet.`;
    context.facts.leftOut.push({ what, why, where: task.where });
    return null;
  }
  const planned = planLine(task, { what, where: task.where, ...context });
  if (planned === null) return null;
  const { line, cwd, env } = planned;
  return {
    // Before what runs at every start. At a stop, nothing is done for the first time.
    phase: phase === "start" && task.once !== undefined ? "create" : phase,
    oncePer: phase === "start" ? (task.once ?? "start") : "start",
    // The container's own shell; where it has none, PATH ends at the supervisor's.
    command: ["sh", "-c", line],
    cwd,
    env,
    terminal: true,
  };
}
