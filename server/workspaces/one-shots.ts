import type { Engine } from "../engine/engine.ts";
import type { StepOptions, WorkspaceSpec } from "../engine/steps.ts";
import { OneloopError } from "../protocol/errors.ts";
import type { PlannedOneShot, WorkspacePlan } from "../protocol/plan.ts";
import { clean } from "../protocol/text.ts";
import { allOrNone } from "./reconciler-deadlines.ts";

/** The end of a failed program's output is what a person looks at. */
const keptLines = 20;

export function oneShotsOf(
  { oneShots = [] }: WorkspacePlan,
  when: PlannedOneShot["when"],
): PlannedOneShot[] {
  return oneShots.filter((one) => one.when === when);
}

/**
 * Runs the containers of one time to their ends, each after those that it needs, the others beside
 * each other. The first that fails ends the rest.
 *
 * @param onDone is told of each that ended well, before what needs it begins.
 * @throws OneloopError `container-exited` with its name and the end of its output
 */
export async function runOneShots(
  engine: Engine,
  {
    spec,
    when,
    onDone,
  }: {
    spec: WorkspaceSpec;
    when: PlannedOneShot["when"];
    onDone?: (name: string) => Promise<void>;
  },
  options: StepOptions,
): Promise<void> {
  const done = new Map<string, Promise<void>>();
  await allOrNone(options.signal, (signal) =>
    oneShotsOf(spec.plan, when).map((one) => {
      // What it needs stands before it in the list.
      const needed = one.needs.flatMap((name) => done.get(name) ?? []);
      const run = Promise.all(needed)
        .then(() => runOne(engine, { spec, one }, { ...options, signal }))
        .then(() => onDone?.(one.name));
      done.set(one.name, run);
      return run;
    }),
  );
}

async function runOne(
  engine: Engine,
  { spec, one }: { spec: WorkspaceSpec; one: PlannedOneShot },
  options: StepOptions,
): Promise<void> {
  const { name, when, service } = one;
  const time = when === "before-start" ? "before the start" : "after the stop";
  options.onProgress?.(`Running ${name} (${service.name}) ${time}`);
  const { exitCode, output } = await engine.runToEnd(spec, { name, service }, options);
  if (exitCode === 0) return;
  // A stranger's program: what it printed has to be text that a database keeps and a terminal shows.
  const lines = output.trim().split(/\r?\n/).map(clean).slice(-keptLines);
  const said = output.trim() === "" ? " It printed nothing." : `\n${lines.join("\n")}`;
  throw new OneloopError(
    "container-exited",
    `${name}, which runs component ${service.name} ${time}, ended with status ${exitCode}.${said}`,
  );
}
