import type { WorkspacePlan } from "../../protocol/plan.ts";
import type { MirroredService, PlannedService } from "../../protocol/service.ts";

export type Mirrored = PlannedService & { readonly mirror: MirroredService };

/** Whether a service is one of production's, which run beside the dev service. */
export function isMirrored(plan: WorkspacePlan, name: string): boolean {
  return (
    name !== plan.devService &&
    plan.services.some((service) => service.name === name && service.mirror !== undefined)
  );
}

/** Production's services of a plan: what its dev service stands in for is none of them. */
export function mirroredServices({ services, devService }: WorkspacePlan): Mirrored[] {
  return services.flatMap((service) =>
    service.mirror === undefined || service.name === devService
      ? []
      : [{ ...service, mirror: service.mirror }],
  );
}
