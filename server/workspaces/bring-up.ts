import type { GrantSigner } from "../auth/grants.ts";
import type { WorkspaceRow, WorkspaceStore } from "../db/workspaces.ts";
import type { Engine, SupervisorSetup } from "../engine/engine.ts";
import type { ImageFacts } from "../engine/images.ts";
import type { Owner } from "../engine/steps.ts";
import type { WorkspacePlan } from "../protocol/plan.ts";
import { shortRef } from "../repo/ref-name.ts";
import type { Supervisors } from "../terminals/supervisors.ts";
import { Builds } from "./builds.ts";
import type { OnPhase } from "./phases.ts";
import { allOrNone } from "./reconciler-deadlines.ts";
import type { RunStep, Turn } from "./reconciler-turn.ts";
import { mirroredServices } from "./mirror/mirrored.ts";
import type { ReadArchive } from "./mirror/service-files.ts";
import { oneShotsOf, runOneShots } from "./one-shots.ts";
import { checkOut } from "./source.ts";

export interface BringUpParts {
  readonly store: WorkspaceStore;
  readonly engine: Engine;
  readonly supervisors: Supervisors;
  readonly signer: GrantSigner;
  /** Tells the supervisor whose workspace it is, before anybody works in it. */
  readonly inside: {
    tellSetup(row: WorkspaceRow): Promise<void>;
    /** Its network runs, and it will in a moment. */
    networkReady?(row: WorkspaceRow): void;
  };
  /** The environment that Oneloop gives to a workspace's programs. */
  readonly environmentOf: (row: WorkspaceRow) => Pick<SupervisorSetup, "env" | "defaults">;
  /** A folder of a repository at a commit that the cache has, as a tar archive. */
  readonly archive: ReadArchive;
  readonly onPhase?: OnPhase | undefined;
}

/**
 * From the stored plan to a workspace that somebody can work in: beside each other the images, the
 * volumes with the checkout, and the sandbox; then the members; then whose workspace it is. Each
 * step is idempotent, and says in the events how far it came and how long it took.
 */
export async function bringUp(parts: BringUpParts, turn: Turn): Promise<void> {
  const { engine, signer, supervisors, store, onPhase } = parts;
  const { row, spec, interrupted, record } = turn;
  const note = (code: string, message: string): Promise<void> =>
    store.addEvent(row.id, { level: "info", code, message });
  const step: RunStep = (name, signal, work) => {
    const onProgress = (line: string): void => void note(name, line).catch(() => undefined);
    return turn.step(name, signal, (options) => work({ ...options, onProgress }));
  };
  const began = performance.now();
  const took = (): string => `${((performance.now() - began) / 1000).toFixed(1)} s`;

  const dev = row.plan.services.find((service) => service.name === row.plan.devService);
  // Production's services are started when the workspace runs: nothing waits for their images.
  const mirrored = new Set(mirroredServices(row.plan).map(({ name }) => name));
  const others = row.plan.services.filter(
    (service) => service !== dev && !mirrored.has(service.name),
  );
  const before = oneShotsOf(row.plan, "before-start");
  // What runs goes on; only what begins anew is prepared.
  const runs = before.length > 0 && (await isUp(engine, row.plan, spec.owner));
  const prepared = runs ? [] : before.map(({ service }) => service);
  const source = async (devImage: Promise<ImageFacts>, signal: AbortSignal): Promise<void> => {
    await step("storage", signal, (options) => engine.ensureStorage(spec, options));
    onPhase?.("storage-made");
    const { checkout } = row.plan;
    if (checkout === null || row.checkedOut) return;
    const { user } = await devImage;
    for (const one of [checkout, ...(row.plan.projects ?? [])]) {
      const work = { owner: spec.owner, checkout: one, user };
      await step("checkout", signal, (options) => checkOut(engine, work, options));
    }
    onPhase?.("checkout-done");
    await record({ checkedOut: true });
    await note("checked-out", `Checked out ${short(row)} at ${checkout.path} (${took()}).`);
  };
  const sandbox = async (signal: AbortSignal): Promise<void> => {
    await step("sandbox", signal, (options) => engine.ensureSandbox(spec, options));
    onPhase?.("sandbox-ready");
    parts.inside.networkReady?.(row);
    await note("sandbox-ready", `The workspace's network and its rules are ready (${took()}).`);
  };
  const builds = new Builds(parts, turn, step);
  await allOrNone(interrupted, (signal) => {
    const ready = sandbox(signal);
    const image = (ref: string, user: string | null): Promise<ImageFacts> => {
      const there = builds.ensure(ref, { ready, signal });
      return there.then((built) =>
        step("image", signal, (options) =>
          engine.ensureImage(built, { ...options, user, reader: spec.reader }),
        ),
      );
    };
    const devImage = image(dev?.image ?? "", dev?.user ?? null);
    const images = Promise.all([
      devImage,
      ...[...others, ...prepared].map((each) => image(each.image, null)),
    ]);
    const known = images.then(() => onPhase?.("images-known"));
    return [known, source(devImage, signal), ready];
  });
  const built = { ...spec, plan: builds.named(row.plan) };

  if (prepared.length > 0) {
    await step("before-start", interrupted, (options) =>
      runOneShots(engine, { spec: built, when: "before-start" }, options),
    );
  }
  const setup = { publicKey: signer.publicKey, ...parts.environmentOf(row) };
  const { address, boot } = await step("start", interrupted, (options) =>
    engine.ensureMembers(built, setup, options),
  );
  onPhase?.("members-started");
  supervisors.remember(spec.owner, address, boot);
  await parts.inside.tellSetup(row);
  onPhase?.("setup-told");
  // The event first: who waits for the state has then seen it.
  await note("started", `The workspace is ready (${took()}).`);
}

/** Whether its dev service runs, in a network that does. */
async function isUp(engine: Engine, plan: WorkspacePlan, owner: Owner): Promise<boolean> {
  const { sandbox, members } = await engine.observe(owner);
  const dev = members.find(({ service }) => service === plan.devService);
  return sandbox === "running" && dev?.state === "running";
}

function short(row: WorkspaceRow): string {
  const commit = row.commit.slice(0, 12);
  return row.ref === null ? commit : `${shortRef(row.ref)} (${commit})`;
}
