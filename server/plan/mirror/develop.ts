import { OneloopError } from "../../protocol/errors.ts";
import { parseImageReference } from "../../protocol/image-reference.ts";
import type { PlannedService, SourceService } from "../../protocol/service.ts";
import type { SourceModel } from "../../protocol/source-model.ts";
import { didYouMean } from "../../sources/near-names.ts";

/**
 * Which services of production the dev service stands in for: those that were named; else the one
 * that is called like the dev service, else the one that runs its image, else the one that is built
 * from the whole repository.
 *
 * @throws OneloopError `plan-impossible` for a name that production does not have.
 */
export function developed(
  production: SourceModel,
  { dev, named }: { dev: PlannedService; named: readonly string[] | null },
): string[] {
  const services = production.services.filter(({ role }) => role.known && role.value === "service");
  const names = services.map(nameOf);
  if (named !== null) {
    const wrong = named.find((name) => !names.includes(name));
    if (wrong === undefined) return [...new Set(named)];
    throw new OneloopError(
      "plan-impossible",
      `What is mirrored has no service ${wrong} to develop${didYouMean(wrong, names) || "."} It has ${names.join(", ")}.`,
    );
  }
  const found = [
    (service: SourceService) => nameOf(service) === dev.name,
    (service: SourceService) => service.image.known && sameImage(service.image.value, dev.image),
    (service: SourceService) => service.build.known && service.build.value?.context === ".",
  ]
    .map((test) => services.filter(test))
    // Two that fit equally well: nobody knows which is meant.
    .find(({ length }) => length === 1);
  return (found ?? []).map(nameOf);
}

export function nameOf({ name }: SourceService): string {
  return name.known ? name.value : "";
}

/** The same repository of images, whatever the tag. */
function sameImage(one: string, other: string): boolean {
  const [a, b] = [parseImageReference(one), parseImageReference(other)];
  return a !== null && b !== null && a.registry === b.registry && a.repository === b.repository;
}
