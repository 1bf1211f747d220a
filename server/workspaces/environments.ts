import type { SignedIn } from "../auth/accounts.ts";
import type { EnvironmentRow, EnvironmentStore } from "../db/environments.ts";
import { parseDockerHost } from "../engine/docker/read-only.ts";
import type { EnvironmentView, RunningEnvironment } from "../protocol/environment.ts";
import { OneloopError } from "../protocol/errors.ts";
import type { Ids } from "../util/ids.ts";
import { lookAt, overview } from "./environment-containers.ts";

export interface NewEnvironment {
  readonly name: string;
  readonly dockerHost: string;
  /** A folder of the control plane's machine; null: none. */
  readonly certificates: string | null;
  readonly project: string | null;
}

/**
 * Engines that the owner registered to be looked at. Only the owner sees and says where they are;
 * whoever is signed in may compare with them by name.
 */
export class Environments {
  readonly #store: EnvironmentStore;
  readonly #ids: Ids;
  /** What is asked for at once is asked once: an engine with thousands of containers has work to do. */
  readonly #asked = new Map<string, Promise<RunningEnvironment>>();

  constructor(store: EnvironmentStore, { ids }: { ids: Ids }) {
    this.#store = store;
    this.#ids = ids;
  }

  async list(actor: SignedIn): Promise<EnvironmentView[]> {
    mustOwn(actor);
    return (await this.#store.list()).map(viewOf);
  }

  /** For whoever compares. */
  async names(): Promise<string[]> {
    return (await this.#store.list()).map(({ name }) => name);
  }

  /**
   * Registers an engine that answers.
   *
   * @returns what it has
   * @throws OneloopError `bad-input`, `conflict` for a taken name, `engine-unreachable`,
   * `engine-failed`, `not-found` for a project that it does not have
   */
  async add(
    actor: SignedIn,
    environment: NewEnvironment,
  ): Promise<EnvironmentView & { projects: string[]; running: number }> {
    mustOwn(actor);
    const { name, dockerHost, certificates, project } = environment;
    if (!/^[a-z0-9]+(?:[._-][a-z0-9]+)*$/.test(name) || name.length > 40) {
      throw new OneloopError(
        "bad-input",
        "An environment's name is of small letters, digits, and single . _ - between them; at most 40.",
      );
    }
    parseDockerHost(dockerHost);
    if (certificates !== null && !certificates.startsWith("/")) {
      throw new OneloopError(
        "bad-input",
        "The folder of certificates is one of the control plane's machine: write its absolute path.",
      );
    }
    if ((await this.#store.byName(name)) !== null) throw taken(name);
    const found = await overview({ dockerHost, certificates }, name);
    if (project !== null && !found.projects.includes(project)) {
      const has = found.projects.length === 0 ? "none" : found.projects.join(", ");
      throw new OneloopError("not-found", `It has no Compose project ${project}. It has ${has}.`);
    }
    const row = await this.#store.add({ id: this.#ids.id(), ...environment });
    if (row === null) throw taken(name);
    return { ...viewOf(row), ...found };
  }

  async remove(actor: SignedIn, name: string): Promise<void> {
    mustOwn(actor);
    if (!(await this.#store.remove(name))) throw noSuch(name);
  }

  /**
   * What runs there now.
   *
   * @param which.project null: the one that was registered, else the only one
   * @throws OneloopError as `lookAt`, and `not-found` where there is no such environment
   */
  async model(which: { name: string; project: string | null }): Promise<RunningEnvironment> {
    const row = await this.#store.byName(which.name);
    if (row === null) throw noSuch(which.name);
    const wanted = { name: row.name, project: which.project ?? row.project };
    const key = JSON.stringify([row.id, wanted.project]);
    const asked = this.#asked.get(key) ?? lookAt(row, wanted);
    this.#asked.set(key, asked);
    try {
      return await asked;
    } finally {
      this.#asked.delete(key);
    }
  }
}

function viewOf(row: EnvironmentRow): EnvironmentView {
  const { name, dockerHost, certificates, project, createdAt } = row;
  return { name, dockerHost, certificates, project, createdAt: createdAt.toISOString() };
}

function mustOwn(actor: SignedIn): void {
  if (actor.role === "owner") return;
  throw new OneloopError(
    "forbidden",
    "Only the owner of this installation says which environments there are.",
  );
}

function taken(name: string): OneloopError {
  return new OneloopError(
    "conflict",
    `There is an environment ${name}. \`loop environments remove ${name}\` first.`,
  );
}

function noSuch(name: string): OneloopError {
  return new OneloopError(
    "not-found",
    `There is no environment ${JSON.stringify(name.slice(0, 100))}. The owner of this installation registers one: \`loop environments add NAME DOCKER_HOST\`.`,
  );
}
