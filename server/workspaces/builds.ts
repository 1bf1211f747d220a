import type { Readable } from "node:stream";
import type { WorkspaceStore } from "../db/workspaces.ts";
import type { StepOptions } from "../engine/steps.ts";
import { sourceVolume } from "../engine/member-spec.ts";
import { belowSourceRoot } from "../plan/projects.ts";
import { OneloopError, toOneloopError } from "../protocol/errors.ts";
import type { Checkout, PlannedBuild, WorkspacePlan } from "../protocol/plan.ts";
import type { BringUpParts } from "./bring-up.ts";
import type { RunStep, Turn } from "./reconciler-turn.ts";

type BuildParts = Pick<BringUpParts, "engine" | "archive"> & {
  readonly store: Pick<WorkspaceStore, "addEvent">;
};

/**
 * The images of a plan that are built from its repository: from the opened commit as the cache has
 * it, while nothing is checked out yet; after that from the workspace's own files.
 */
export class Builds {
  readonly #parts: BuildParts;
  readonly #turn: Pick<Turn, "row" | "spec">;
  readonly #step: RunStep;
  /** From the plan's name of an image to the engine's. */
  readonly #building = new Map<string, Promise<string>>();
  readonly #names = new Map<string, string>();

  constructor(parts: BuildParts, turn: Pick<Turn, "row" | "spec">, step: RunStep) {
    this.#parts = parts;
    this.#turn = turn;
    this.#step = step;
  }

  /**
   * What the engine calls an image of the plan, built now where the plan says that it is built.
   *
   * @param ready resolves when the sandbox runs, in whose network programs of the build run.
   */
  ensure(
    image: string,
    { ready, signal }: { ready: Promise<void>; signal: AbortSignal },
  ): Promise<string> {
    const planned = this.#planned(image);
    if (planned === undefined) return Promise.resolve(image);
    const before = this.#building.get(image);
    if (before !== undefined) return before;
    return this.#keep(image, this.#build(planned, { ready, signal }));
  }

  /** Whether an image of the plan is built. */
  has(image: string): boolean {
    return this.#planned(image) !== undefined;
  }

  /** What the engine calls an image that was built; null: it was not, yet. */
  nameOf(image: string): string | null {
    return this.#names.get(image) ?? null;
  }

  /** What the engine calls an image that a control plane before this one has built. */
  remember(image: string, ref: string): void {
    if (!this.has(image)) return;
    this.#names.set(image, ref);
    this.#building.set(image, Promise.resolve(ref));
  }

  /**
   * Builds anew from the workspace's present files, in a sandbox that runs. Where that fails, what was
   * built before stays.
   *
   * @throws OneloopError also for what can be mended in the files
   */
  async again(image: string, signal: AbortSignal): Promise<void> {
    const planned = this.#planned(image);
    if (planned === undefined) return;
    const ref = await this.#from(planned, signal, (options) => this.#folder(planned, options));
    this.remember(image, ref);
  }

  /** The plan with the engine's names of what was built. */
  named(plan: WorkspacePlan): WorkspacePlan {
    if (this.#names.size === 0) return plan;
    const built = <Named extends { image: string }>(service: Named): Named => ({
      ...service,
      image: this.#names.get(service.image) ?? service.image,
    });
    const { services, oneShots } = plan;
    return {
      ...plan,
      services: services.map(built),
      ...(oneShots && {
        oneShots: oneShots.map((one) => ({ ...one, service: built(one.service) })),
      }),
    };
  }

  #planned(image: string): PlannedBuild | undefined {
    return this.#turn.row.plan.builds?.find((one) => one.image === image);
  }

  /** One that failed is tried again by who asks next. */
  #keep(image: string, building: Promise<string>): Promise<string> {
    this.#building.set(image, building);
    building.catch(() => {
      if (this.#building.get(image) === building) this.#building.delete(image);
    });
    return building;
  }

  async #build(
    planned: PlannedBuild,
    { ready, signal }: { ready: Promise<void>; signal: AbortSignal },
  ): Promise<string> {
    await ready;
    const { row } = this.#turn;
    const own = row.checkedOut ? await this.#fromWorkspace(planned, signal) : null;
    const ref =
      own ?? (await this.#from(planned, signal, (options) => this.#commit(planned, options)));
    this.#names.set(planned.image, ref);
    return ref;
  }

  /**
   * Null where the workspace's own files give no image: the opened commit's is there then, so that
   * somebody can go in and mend them.
   */
  async #fromWorkspace(planned: PlannedBuild, signal: AbortSignal): Promise<string | null> {
    try {
      return await this.#from(planned, signal, (options) => this.#folder(planned, options));
    } catch (error) {
      const { code, message } = toOneloopError(error);
      if (!mendable.has(code)) throw error;
      await this.#parts.store.addEvent(this.#turn.row.id, {
        level: "error",
        code: "build-failed",
        message: `${planned.image} could not be built from the workspace's files; the one of the opened commit runs instead. Mend it, then stop and start. ${message}`,
      });
      return null;
    }
  }

  async #from(
    planned: PlannedBuild,
    signal: AbortSignal,
    archiveOf: (options: StepOptions) => Promise<Readable>,
  ): Promise<string> {
    const { context, dockerfile, args, target, image } = planned;
    const { owner, reader } = this.#turn.spec;
    const place = context === "" ? dockerfile : `${context}/${dockerfile}`;
    const { ref } = await this.#step("build", signal, async (options) => {
      options.onProgress?.(`Building ${image} from ${place}`);
      const archive = await archiveOf(options);
      const request = { owner, archive, dockerfile, args, target, reader };
      return this.#parts.engine.buildImage(request, options);
    });
    return ref;
  }

  #commit({ context }: PlannedBuild, { signal }: StepOptions): Promise<Readable> {
    const { url, key = url, commit } = this.#checkout();
    return this.#parts.archive({ key, commit, path: context }, signal);
  }

  #folder({ context }: PlannedBuild, options: StepOptions): Promise<Readable> {
    const folder = belowSourceRoot(this.#checkout().path).slice(1);
    const path = context === "" ? folder : `${folder}/${context}`;
    const { owner } = this.#turn.spec;
    return this.#parts.engine.readFolder({ owner, volume: sourceVolume, path }, options);
  }

  #checkout(): Checkout {
    const { checkout } = this.#turn.row.plan;
    if (checkout !== null) return checkout;
    throw new OneloopError("plan-impossible", "There is no repository to build an image from.");
  }
}

/** What somebody can mend in the files; the engine's own failures are the workspace's. */
const mendable: ReadonlySet<string> = new Set([
  ...["image-unavailable", "image-not-found", "image-denied"],
  "devfile-invalid",
  "bad-input",
]);
