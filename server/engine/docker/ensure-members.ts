import type Docker from "dockerode";
import { OneloopError } from "../../protocol/errors.ts";
import type { PlannedService } from "../../protocol/service.ts";
import { supervisorPort } from "../../protocol/supervisor.ts";
import type { SupervisorSetup } from "../engine.ts";
import { devServiceOf, isMirrored } from "../member-spec.ts";
import type { StepOptions, SupervisorAddress, WorkspaceSpec } from "../steps.ts";
import { unless } from "./client.ts";
import { EndedBeforeReady, startUntilReady } from "./containers.ts";
import type { Images } from "./image-facts.ts";
import { makeMember } from "./make-member.ts";
import type { MemberParts } from "./members.ts";
import type { Names } from "./names.ts";

interface EnsureMembersParts {
  readonly docker: Docker;
  readonly names: Names;
  readonly images: Images;
  readonly supervisorVolume: string;
}

/** `Engine.ensureMembers`. */
export async function ensureMembers(
  parts: EnsureMembersParts,
  { spec, setup }: { readonly spec: WorkspaceSpec; readonly setup: SupervisorSetup },
  options: StepOptions,
): Promise<{ readonly address: SupervisorAddress; readonly boot: string }> {
  const { docker } = parts;
  const { signal } = options;
  const dev = devServiceOf(spec.plan);
  const own = spec.plan.services.filter((service) => !isMirrored(spec.plan, service));
  const memberParts = await toMemberParts(parts, { ...spec, own, setup }, options);
  const make = (service: PlannedService): ReturnType<typeof makeMember> =>
    makeMember(docker, memberParts, { spec, service, signal });
  // Made while the dev service starts; started after it, which people wait for.
  const made = own.filter((service) => service !== dev).map(make);
  // Each rejection is thrown where it is awaited, once the dev service runs.
  for (const other of made) other.catch(() => undefined);
  try {
    const { container, address } = await make(dev);
    options.onPhase?.("members-made");
    const boot = await startDev(container, signal);
    options.onPhase?.("dev-started");
    await Promise.all(
      made.map(async (other) => {
        const { container: service } = await other;
        await unless([304], service.start({ abortSignal: signal }));
      }),
    );
    return { address: { host: address, port: supervisorPort }, boot };
  } finally {
    // A failed step leaves nothing that still works behind its back.
    await Promise.allSettled(made);
  }
}

async function toMemberParts(
  { names, images, supervisorVolume }: EnsureMembersParts,
  {
    own,
    reader,
    setup,
  }: WorkspaceSpec & {
    readonly own: readonly PlannedService[];
    readonly setup: SupervisorSetup;
  },
  options: StepOptions,
): Promise<MemberParts> {
  const facts = await Promise.all(
    own.map(async ({ name, image, user }) => {
      const use = { user, reader };
      return [
        name,
        images.recent(image, use) ?? (await images.ensure(image, use, options)),
      ] as const;
    }),
  );
  return {
    names,
    supervisorVolume,
    reference: (image) => images.reference(image),
    images: new Map(facts),
    setup,
  };
}

/** @returns the boot id of its supervisor. */
async function startDev(container: Docker.Container, signal: AbortSignal): Promise<string> {
  try {
    const boot = await startUntilReady(container, signal);
    if (boot !== null) return boot;
    throw new OneloopError("container-exited", "The workspace's supervisor did not say who it is.");
  } catch (error) {
    if (!(error instanceof EndedBeforeReady)) throw error;
    throw new OneloopError(
      "container-exited",
      `The workspace's container ended at its start with status ${error.exitCode}. Source and home are kept.`,
      { cause: error },
    );
  }
}
