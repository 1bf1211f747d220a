import type { Diagnostic } from "../protocol/errors.ts";
import { OneloopError } from "../protocol/errors.ts";
import type { Place } from "../protocol/fact.ts";
import type { Checkout, PlannedVolume, WorkspacePlan } from "../protocol/plan.ts";
import type { SourceModel } from "../protocol/source-model.ts";
import { because } from "./because.ts";
import { planBuilds } from "./builds.ts";
import { planCommands } from "./commands.ts";
import { Facts } from "./facts.ts";
import { withManifests } from "./manifests.ts";
import { planMirror, type MirrorChoices } from "./mirror/index.ts";
import { planOneShots } from "./one-shots.ts";
import { planProjects, withRemotes } from "./projects.ts";
import { planService } from "./service.ts";
import { planTasks } from "./tasks.ts";

/** What the user, or the control plane for them, decides beyond what the files say. */
export interface PlanChoices {
  /** `path` is below the source root, `/workspace`; null for a container without a repository. */
  readonly checkout: Checkout | null;
  /** What became of `projectsToCheckOut`: with commits, each below the source root. */
  readonly projects?: readonly Checkout[];
  /** The user's repository of settings for their shell and programs; null for none. */
  readonly dotfilesUrl?: string | null;
  /** How production is mirrored, where it is. */
  readonly mirror?: MirrorChoices;
}

/**
 * The only planner: what the files say, turned into what will run. Pure: the same input gives the
 * same plan.
 *
 * - The dev service is the first that has the source, else the first.
 * - Its own command is a task of its supervisor, and stays in the service too. The task's command is
 *   null where the service has no `command`: then the image's entry point runs, with the service's
 *   `args`, if any, in the place of the image's command.
 * - Where the source is mounted, `PROJECTS_ROOT` is the mount's path and `PROJECT_SOURCE` the
 *   checkout's inside it (https://devfile.io/docs: both are set by the tool, never by the devfile).
 * - Commands of the events postStart and preStop are tasks of the dev service, run by a shell.
 * - What preStart and postStop apply runs to its end before and after the services: `one-shots.ts`.
 * - Commands that nothing runs by itself, and those of events too, are offered: see `commands.ts`.
 * - Volumes named as Oneloop's own, `source` and `home`, are planned under another name.
 *
 * @param production The topology to mirror around the dev service (see `mirror/`); null for none.
 * @throws OneloopError `plan-impossible`, with a diagnostic for each fact that is missing.
 */
export function plan(
  development: SourceModel,
  production: SourceModel | null,
  choices: PlanChoices,
): WorkspacePlan {
  const facts = new Facts(development.leftOut);
  const volumes = planVolumes(development, facts);
  const own = development.services.map((service) =>
    planService(service, { facts, volumeNames: volumes.names, checkout: choices.checkout }),
  );
  const { oneShots, members, because: once } = planOneShots(development, { own, facts });
  const dev = members.find(({ sourcePath }) => sourcePath !== null) ?? members[0];
  if (dev === undefined) throw noService(development);
  facts.throwIfMissing();
  const projects = planProjects(
    development,
    { checkout: choices.checkout, projects: choices.projects ?? [] },
    facts,
  );
  const { tasks, names } = planTasks(
    development,
    { dev, dotfilesUrl: choices.dotfilesUrl ?? null },
    facts,
  );
  const offered = planCommands(development, { dev, facts });
  const topology = withManifests(development, production, facts);
  // The dev service stands in for nothing of what its own devfile puts beside it.
  const ofDevfile = { source: "", develop: [] };
  const mirrored =
    topology === null
      ? null
      : planMirror(topology, {
          choices:
            production === null
              ? ofDevfile
              : (choices.mirror ?? { source: production.format, develop: null }),
          own: members,
          dev,
          taken: new Set([...ownVolumes, ...volumes.planned.map(({ name }) => name)]),
          facts,
        });
  const { builds: ownBuilds, because: built } = planBuilds(development, {
    services: [...own, ...(mirrored?.services ?? [])],
    facts,
  });
  const builtHere = new Set(ownBuilds.map(({ image }) => image));
  const ofMirror = (mirrored?.builds ?? []).filter(({ image }) => !builtHere.has(image));
  const builds = [...ownBuilds, ...ofMirror];
  return {
    version: 1,
    devService: dev.name,
    services: mirrored?.services ?? members,
    volumes: [...volumes.planned, ...(mirrored?.volumes ?? [])],
    checkout: choices.checkout === null ? null : withRemotes(development, choices.checkout),
    projects,
    tasks,
    ...(oneShots.length === 0 ? {} : { oneShots }),
    commands: offered.commands,
    ...(builds.length === 0 ? {} : { builds }),
    ...(mirrored === null || production === null ? {} : { mirror: mirrored.mirror }),
    because: [
      ...because(development, {
        dev: own.indexOf(dev),
        mirrored: mirrored?.sources ?? [],
        volumeNames: volumes.names,
        taskNames: names,
        commandNames: offered.sources,
        projects,
      }),
      ...once,
      ...built,
      ...(mirrored?.because ?? []),
    ],
    leftOut: facts.leftOut,
  };
}

/** The engine's names of the volumes with the repository and the user's home. */
const ownVolumes: readonly string[] = ["source", "home"];

function planVolumes(
  { volumes }: SourceModel,
  facts: Facts,
): { planned: PlannedVolume[]; names: ReadonlyMap<string, string> } {
  const given = volumes.map(({ name }) => facts.need(name, "The name of a volume"));
  const taken = new Set([...ownVolumes, ...given]);
  const names = new Map<string, string>();
  const planned = volumes.map((volume, at) => {
    const original = given[at] ?? "";
    const name = ownVolumes.includes(original) ? freeName(original, taken) : original;
    names.set(original, name);
    const what = `of volume ${original}`;
    return {
      name,
      sizeBytes: facts.prefer(volume.sizeBytes, { what: `size ${what}`, otherwise: null }),
      ephemeral: facts.prefer(volume.ephemeral, { what: `ephemeral ${what}`, otherwise: false }),
    };
  });
  return { planned, names };
}

function freeName(name: string, taken: Set<string>): string {
  let free = `devfile-${name}`;
  for (let count = 2; taken.has(free); count += 1) free = `devfile-${name}-${count}`;
  taken.add(free);
  return free;
}

function noService({ name, leftOut }: SourceModel): OneloopError {
  const diagnostics = [name, ...leftOut].flatMap(({ where }) =>
    diagnosticAt(where, {
      code: "no-container",
      message: "No container component is left to work in: add one with an image.",
    }),
  );
  return new OneloopError(
    "plan-impossible",
    "The configuration has no container to work in: add a container component with an image.",
    { diagnostics: diagnostics.slice(0, 1) },
  );
}

function diagnosticAt(where: Place, problem: { code: string; message: string }): Diagnostic[] {
  return "file" in where ? [{ ...where, length: 1, severity: "error", ...problem }] : [];
}
