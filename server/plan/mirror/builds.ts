import type { Because, PlannedBuild } from "../../protocol/plan.ts";
import type { ImageBuild, PlannedService, SourceService } from "../../protocol/service.ts";
import type { Facts } from "../facts.ts";
import { nameOf } from "./develop.ts";

/** What the image of a service is called here that is built, and has no name of its own. */
export function builtImage(service: string): string {
  return `oneloop-built/${service}`;
}

/**
 * The images of production's services that are built from the repository. Where one cannot be, it is
 * listed, and the service runs the image that its name stands for.
 *
 * @param mapped Images that stand in for production's: nothing is built in their place.
 */
export function mirrorBuilds(
  services: readonly PlannedService[],
  {
    sources,
    mapped,
    facts,
  }: { sources: readonly SourceService[]; mapped: ReadonlySet<string>; facts: Facts },
): { services: PlannedService[]; builds: PlannedBuild[]; because: Because[] } {
  const builds = new Map<string, PlannedBuild>();
  const because: Because[] = [];
  const planned = services.map((service) => {
    const { mirror, name } = service;
    const build = mirror?.build ?? null;
    if (mirror === undefined || build === null) return service;
    const where = sources.find((one) => nameOf(one) === name)?.build.where;
    const leaveOut = (what: string, why: string): void => {
      if (where !== undefined) facts.leftOut.push({ what, why, where });
    };
    const pulled = { ...service, mirror: { ...mirror, build: null } };
    if (mapped.has(service.image)) {
      leaveOut(`build of service ${name}`, `The image ${service.image} stands in for it here.`);
      return pulled;
    }
    const paths = pathsOf(build);
    if (paths === null) {
      leaveOut(
        `build of service ${name}`,
        "Its Dockerfile is outside its build context: only those that are in it can be built yet.",
      );
      return pulled;
    }
    const args = Object.entries(build.args).flatMap(([key, value]) => {
      if (value !== null) return [[key, value] as const];
      leaveOut(
        `argument ${key} of the build of service ${name}`,
        "Its value comes from who builds it: the Dockerfile's own default is taken.",
      );
      return [];
    });
    const wanted = { ...paths, args: Object.fromEntries(args), target: build.target };
    const before = builds.get(service.image);
    const same = before === undefined || isSame(before, { ...wanted, image: service.image });
    // Two services that call different images the same would each run the other's.
    const image = same ? service.image : builtImage(name);
    builds.set(image, { image, ...wanted });
    if (where !== undefined && (before === undefined || !same)) {
      because.push({ part: `image ${image}`, where: [where] });
    }
    return { ...service, image };
  });
  return { services: planned, builds: [...builds.values()], because };
}

/** The Dockerfile's path in the context; null where it is outside. */
function pathsOf({ context, dockerfile }: ImageBuild): {
  context: string;
  dockerfile: string;
} | null {
  if (context === ".") return { context: "", dockerfile };
  const prefix = `${context}/`;
  if (!dockerfile.startsWith(prefix)) return null;
  return { context, dockerfile: dockerfile.slice(prefix.length) };
}

function isSame(a: PlannedBuild, b: PlannedBuild): boolean {
  const text = ({ image, context, dockerfile, args, target }: PlannedBuild): string => {
    const given = Object.entries(args).map((entry) => entry.join("="));
    return JSON.stringify([image, context, dockerfile, given.sort(), target]);
  };
  return text(a) === text(b);
}
