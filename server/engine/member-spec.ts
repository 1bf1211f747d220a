import type { WorkspacePlan } from "../protocol/plan.ts";
import type { PlannedService } from "../protocol/service.ts";
import type { SupervisorConfig } from "../protocol/supervisor.ts";
import { OneloopError } from "../protocol/errors.ts";
import type { SupervisorSetup } from "./engine.ts";
import type { ImageFacts } from "./images.ts";
import type { MemberSpec } from "./observed.ts";
import type { WorkspaceSpec } from "./steps.ts";

/** Oneloop's own volumes of a workspace. */
export const sourceVolume = "source";
export const homeVolume = "home";

/** What is needed of an image to say what a service runs. */
export type ImageDefaults = Pick<ImageFacts, "entrypoint" | "command" | "env">;

/** Image facts by the name of the service: two services may run one image as different users. */
export type ImagesOfPlan = ReadonlyMap<string, ImageDefaults>;

/** @throws OneloopError `plan-impossible` for a plan without its dev service. */
export function devServiceOf(plan: WorkspacePlan): PlannedService {
  const dev = plan.services.find(({ name }) => name === plan.devService);
  if (dev !== undefined) return dev;
  throw new OneloopError("plan-impossible", `The plan has no service ${plan.devService}.`);
}

/** Whether a service is production's, started by itself (`ensureService`), and not a devfile's own. */
export function isMirrored(plan: WorkspacePlan, service: PlannedService): boolean {
  return service.mirror !== undefined && service.name !== plan.devService;
}

/** @throws OneloopError `plan-impossible` for a service that the plan does not mirror. */
export function mirroredService(plan: WorkspacePlan, name: string): PlannedService {
  const service = plan.services.find((one) => one.name === name);
  if (service !== undefined && isMirrored(plan, service)) return service;
  throw new OneloopError("plan-impossible", `The plan mirrors no service ${name}.`);
}

/**
 * The argument vector that a service runs: `command` replaces the image's entry point and its
 * command, `args` alone replace only the command (as a pod's containers do, which a devfile follows).
 */
export function argumentVector(service: PlannedService, image: ImageDefaults): string[] {
  const { command, args } = service;
  if (command !== null) return [...command, ...(args ?? [])];
  return [...image.entrypoint, ...(args ?? image.command)];
}

/**
 * What Oneloop gives a service beside its plan and image: all of it to the dev service, to the
 * devfile's others the defaults alone (the authorities that they shall trust), to production's
 * nothing: they are as in production.
 */
export function setupFor(
  plan: WorkspacePlan,
  service: PlannedService,
  setup: Pick<SupervisorSetup, "env" | "defaults"> | null,
): Pick<SupervisorSetup, "env" | "defaults"> | null {
  if (setup === null || isMirrored(plan, service)) return null;
  if (service.name === plan.devService) return setup;
  return { env: {}, defaults: setup.defaults ?? {} };
}

/** What a service's program sees: the image's, Oneloop's defaults, the plan's, then Oneloop's own. */
export function environmentOf(
  service: PlannedService,
  image: ImageDefaults,
  setup: Pick<SupervisorSetup, "env" | "defaults"> | null,
): Record<string, string> {
  return { ...image.env, ...setup?.defaults, ...service.env, ...setup?.env };
}

/**
 * What each service of a plan runs, by name: the form in which an engine reads it back. `command` is
 * the whole argument vector, the image's own part included, and `args` therefore `null`.
 */
export function memberSpecs(
  plan: WorkspacePlan,
  images: ImagesOfPlan,
  setup: Pick<SupervisorSetup, "env" | "defaults">,
): Map<string, MemberSpec> {
  return new Map(
    plan.services.map((service) => {
      const image = imageOf(service, images);
      return [
        service.name,
        {
          image: service.image,
          command: argumentVector(service, image),
          args: null,
          env: environmentOf(service, image, setupFor(plan, service, setup)),
          memoryLimitBytes: service.memoryLimitBytes,
          cpuLimitCores: service.cpuLimitCores,
          readOnlyRoot: service.readOnlyRoot,
          mounts: service.mounts
            .map(({ volume, path }) => ({ volume, path }))
            .sort((a, b) => a.path.localeCompare(b.path)),
          sourcePath: service.sourcePath,
        },
      ];
    }),
  );
}

/** What the supervisor of the dev service is told at its start. */
export function supervisorConfig(
  spec: WorkspaceSpec,
  facts: ImageFacts,
  setup: SupervisorSetup,
): SupervisorConfig {
  const dev = devServiceOf(spec.plan);
  const { checkout } = spec.plan;
  const folder = checkout?.path.slice(checkout.path.lastIndexOf("/"));
  return {
    workspace: spec.owner.id,
    publicKey: setup.publicKey,
    cwd: dev.sourcePath === null || folder === undefined ? facts.home : dev.sourcePath + folder,
    home: facts.home,
    shell: facts.shell,
    env: environmentOf(dev, facts, setup),
    tasks: spec.plan.tasks.filter((task) => task.in === dev.name),
    imageCommand: argumentVector(dev, facts),
  };
}

/** @throws OneloopError `image-unavailable` for an image that nobody looked up. */
export function imageOf<Image extends ImageDefaults>(
  service: PlannedService,
  images: ReadonlyMap<string, Image>,
): Image {
  const image = images.get(service.name);
  if (image !== undefined) return image;
  throw new OneloopError("image-unavailable", `The image ${service.image} was not looked up.`);
}
