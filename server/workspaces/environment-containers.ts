import { ReadOnlyEngine, type LookedAt } from "../engine/docker/read-only.ts";
import type { RunningEnvironment } from "../protocol/environment.ts";
import { OneloopError } from "../protocol/errors.ts";
import { Container, parseAnswer } from "../sources/containers/answers.ts";
import { readContainers } from "../sources/containers/read.ts";
import {
  maxContainers,
  overviewOf,
  selectContainers,
  type Selection,
} from "../sources/containers/select.ts";
import { deadline } from "../util/deadline.ts";

/** Each answer is waited for by itself; this ends an engine that is slow with every one of thousands. */
const wholeMs = 60_000;
/** As many as the connections. */
const atOnce = 8;

/** In a headline. */
const maxLeftOut = 3;

const everyContainer = "/containers/json?all=1";

/**
 * What runs in an engine now. Only GET is sent, and of variables only the names are kept.
 *
 * @param which.project null: the only one that is there
 * @throws OneloopError `engine-unreachable` within five seconds of silence, `engine-failed` for what
 * is no engine's answer, `choice-needed` with the projects, `not-found` where nothing runs
 */
export async function lookAt(
  engine: LookedAt,
  { name, project }: { name: string; project: string | null },
): Promise<RunningEnvironment> {
  return named(name, async () => {
    using limit = deadline(null, wholeMs);
    using client = await ReadOnlyEngine.to(engine);
    const get = (path: string): Promise<unknown> => client.get(path, limit.signal);
    const selected = selectContainers(await get(everyContainer), project);
    if (!selected.ok) throw whyNot(selected, { name, project });
    const containers = (await inTurns(selected.ids, (id) => get(`/containers/${id}/json`))).filter(
      (each) => each !== null,
    );
    const images = new Map<string, unknown>();
    const imageIds = new Set(
      containers.flatMap((each) => {
        const container = parseAnswer(Container, each);
        return container.ok ? [container.value.Image] : [];
      }),
    );
    await inTurns([...imageIds], async (id) => {
      const image = await get(`/images/${id}/json`);
      if (image !== null) images.set(id, image);
    });
    const networks = await get("/networks");
    const read = readContainers({ selected, containers, images, networks }, name);
    if (!read.ok) throw notUnderstood(read.where);
    // Those that belong to no project stand first, and are none of the matter.
    const leftOut = read.model.leftOut.slice(selected.loose.length);
    const of = [
      ...(selected.project === null ? [] : [`project ${selected.project}`]),
      ...(read.madeFrom.length === 0 ? [] : [`from ${read.madeFrom.join(", ")}`]),
      ...leftOut.slice(0, maxLeftOut).map(({ what, why }) => `without ${what}: ${why}`),
      ...(leftOut.length > maxLeftOut ? [`${leftOut.length - maxLeftOut} more left out`] : []),
    ];
    return { title: of.length === 0 ? name : `${name} (${of.join(", ")})`, model: read.model };
  });
}

/**
 * What an engine has, to see that it is one.
 *
 * @throws OneloopError as `lookAt`
 */
export async function overview(
  engine: LookedAt,
  name: string,
): Promise<{ projects: string[]; running: number }> {
  return named(name, async () => {
    using limit = deadline(null, wholeMs);
    using client = await ReadOnlyEngine.to(engine);
    const found = overviewOf(await client.get(everyContainer, limit.signal));
    if (found === null) throw notUnderstood("the list of containers");
    return found;
  });
}

/** Who asks for a name is told nothing of the address behind it. */
async function named<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof OneloopError) || !error.code.startsWith("engine-")) throw error;
    throw new OneloopError(error.code, `${name}: ${error.message}`, { cause: error.cause });
  }
}

async function inTurns<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const rest = items.entries();
  const worker = async (): Promise<void> => {
    for (const [at, item] of rest) results[at] = await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}

function notUnderstood(where: string): OneloopError {
  return new OneloopError(
    "engine-failed",
    `What answers there says something that no Docker engine says (${where || "the list of containers"}).`,
  );
}

function whyNot(
  selection: Exclude<Selection, { ok: true }>,
  { name, project }: { name: string; project: string | null },
): OneloopError {
  switch (selection.reason) {
    case "not-understood":
      return notUnderstood(selection.where);
    case "nothing-runs":
      return new OneloopError("not-found", `Nothing runs in ${name} that could be compared.`);
    case "too-many":
      return new OneloopError(
        "bad-input",
        `${name} has ${selection.count} containers of this; at most ${maxContainers} are compared. Name a project of it.`,
      );
    case "several-projects":
      return new OneloopError(
        "choice-needed",
        `${name} has ${selection.projects.length} Compose projects: ${listed(selection.projects)}. Say which one: --project ${selection.projects[0]}`,
      );
    case "no-such-project":
      return new OneloopError(
        "not-found",
        `${name} has no Compose project ${JSON.stringify(project)}. ${
          selection.projects.length === 0 ? "It has none." : `It has ${listed(selection.projects)}.`
        }`,
      );
    default:
      return selection satisfies never;
  }
}

/** Some fit into a sentence. */
const maxListed = 20;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, maxListed).join(", ");
  return names.length > maxListed ? `${shown} and ${names.length - maxListed} more` : shown;
}
