import { ContainerList, parseAnswer, type ListedContainer } from "./answers.ts";

/** What Compose writes on what it starts. */
export const composeLabel = {
  project: "com.docker.compose.project",
  service: "com.docker.compose.service",
  number: "com.docker.compose.container-number",
  oneoff: "com.docker.compose.oneoff",
  dependsOn: "com.docker.compose.depends_on",
  configFiles: "com.docker.compose.project.config_files",
  workingDir: "com.docker.compose.project.working_dir",
} as const;

/** On all that a control plane starts. */
const ownLabel = "oneloop.installation";

/** More than that is no environment that somebody compares, and would take long to ask for. */
export const maxContainers = 2000;

export interface Selected {
  /** Null: containers that belong to no project. */
  readonly project: string | null;
  /** Ids of those to ask for, as an engine takes them. */
  readonly ids: readonly string[];
  /** The names of those that belong to no project, beside one. */
  readonly loose: readonly string[];
}

export type Selection =
  | ({ readonly ok: true } & Selected)
  | { readonly ok: false; readonly reason: "not-understood"; readonly where: string }
  | { readonly ok: false; readonly reason: "nothing-runs" }
  | { readonly ok: false; readonly reason: "too-many"; readonly count: number }
  | {
      readonly ok: false;
      readonly reason: "several-projects" | "no-such-project";
      readonly projects: readonly string[];
    };

/**
 * Which containers of an engine are compared: those of the named Compose project, else of the only
 * one, else, where there is no project, all. Oneloop's own are none of them, nor what `docker-compose
 * run` started.
 *
 * @param answer of `GET /containers/json?all=1`
 */
export function selectContainers(answer: unknown, project: string | null): Selection {
  const list = parseAnswer(ContainerList, answer);
  if (!list.ok) return { ok: false, reason: "not-understood", where: list.where };
  const all = list.value.filter(
    ({ Labels: labels }) =>
      labels?.[ownLabel] === undefined && labels?.[composeLabel.oneoff] !== "True",
  );
  const projects = [...new Set(all.flatMap((each) => projectOf(each) ?? []))].toSorted();
  if (project !== null && !projects.includes(project)) {
    return { ok: false, reason: "no-such-project", projects };
  }
  if (project === null && projects.length > 1) {
    return { ok: false, reason: "several-projects", projects };
  }
  const chosen = project ?? projects[0] ?? null;
  const theirs = all.filter((each) => projectOf(each) === chosen);
  // What does not run and belongs to nothing is left from something that is over.
  const wanted = chosen === null ? theirs.filter(isUp) : theirs;
  if (!wanted.some(isUp)) return { ok: false, reason: "nothing-runs" };
  if (wanted.length > maxContainers) {
    return { ok: false, reason: "too-many", count: wanted.length };
  }
  const loose = chosen === null ? [] : all.filter((each) => isUp(each) && projectOf(each) === null);
  return {
    ok: true,
    project: chosen,
    ids: wanted.map(({ Id: id }) => id),
    loose: loose.map((each) => nameOf(each)).toSorted(),
  };
}

/** All Compose projects of an engine, and how many containers run; null where it is not understood. */
export function overviewOf(answer: unknown): { projects: string[]; running: number } | null {
  const list = parseAnswer(ContainerList, answer);
  if (!list.ok) return null;
  const all = list.value.filter(({ Labels: labels }) => labels?.[ownLabel] === undefined);
  return {
    projects: [...new Set(all.flatMap((each) => projectOf(each) ?? []))].toSorted(),
    running: all.filter(isUp).length,
  };
}

function projectOf({ Labels: labels }: ListedContainer): string | null {
  return labels?.[composeLabel.project] ?? null;
}

function isUp({ State: state }: ListedContainer): boolean {
  return isUpState(state);
}

/** A paused container, and one between two tries, is there. */
export function isUpState(state: string | null | undefined): boolean {
  return state === "running" || state === "paused" || state === "restarting";
}

function nameOf({ Names: names, Id: id }: ListedContainer): string {
  return (names?.[0] ?? id).replace(/^\//, "");
}
