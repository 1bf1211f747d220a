import { join, normalize } from "node:path/posix";
import type { Fact, Place } from "../protocol/fact.ts";
import type { Because, PlannedBuild } from "../protocol/plan.ts";
import type { PlannedService } from "../protocol/service.ts";
import type { SourceImage, SourceModel } from "../protocol/source-model.ts";
import type { Facts } from "./facts.ts";

/**
 * The images of the source that are built before the services start: those that a service runs. What
 * is not built is listed, with the reason.
 */
export function planBuilds(
  model: SourceModel,
  { services, facts }: { services: readonly PlannedService[]; facts: Facts },
): { builds: PlannedBuild[]; because: Because[] } {
  const builds: PlannedBuild[] = [];
  const because: Because[] = [];
  const run = new Set(services.map(({ image }) => image));
  const applied = new Set(
    (model.applies ?? []).flatMap(({ kind, event, of }) =>
      kind === "image" && event === "preStart" && of.known ? [of.value] : [],
    ),
  );
  for (const image of model.images ?? []) {
    const asked = { run, applied: applied.has(image.name) };
    const planned = buildOf(image, asked, (what, why, where) =>
      facts.leftOut.push({ what, why, where }),
    );
    if (planned === null) continue;
    builds.push(planned);
    because.push({ part: `image ${planned.image}`, where: [image.where, image.dockerfile.where] });
  }
  return { builds, because };
}

type LeaveOut = (what: string, why: string, where: Place) => void;

function buildOf(
  image: SourceImage,
  { run, applied }: { run: ReadonlySet<string>; applied: boolean },
  leaveOut: LeaveOut,
): PlannedBuild | null {
  const what = `image component ${image.name}`;
  const refuse = (why: string, where: Place = image.where): null => {
    leaveOut(what, why, where);
    return null;
  };
  const { imageName, dockerfile, autoBuild } = image;
  if (!imageName.known) return refuse(imageName.why, imageName.where);
  if (!dockerfile.known) return refuse(dockerfile.why, dockerfile.where);
  if (autoBuild.known && autoBuild.value === false && !applied) {
    return refuse("autoBuild is false, and nothing applies it at the start.", autoBuild.where);
  }
  if (!run.has(imageName.value)) {
    return refuse(`No container component runs ${imageName.value}, so it is not built.`);
  }
  if (dockerfile.value.kind !== "uri") {
    return refuse(
      "Its Dockerfile is not in this repository: only those that are can be built yet.",
      dockerfile.where,
    );
  }
  const paths = pathsOf(dockerfile.value.uri, image.buildContext);
  if (paths === null) {
    return refuse(
      "Its Dockerfile has to be in its build context, inside the repository.",
      dockerfile.where,
    );
  }
  const options = buildOptions(image.args.known ? image.args.value : []);
  for (const odd of options.unknown) {
    leaveOut(
      `argument ${odd} of ${what}`,
      "Only --build-arg and --target are known.",
      image.args.where,
    );
  }
  return { image: imageName.value, ...paths, args: options.args, target: options.target };
}

/** Both below the repository's root; null where one of them leads out. */
function pathsOf(
  uri: string,
  buildContext: Fact<string | null>,
): Pick<PlannedBuild, "context" | "dockerfile"> | null {
  if (/^[a-z]+:/i.test(uri) || uri.startsWith("/")) return null;
  const file = normalize(uri);
  const given = buildContext.known ? buildContext.value : null;
  const context = given === null ? "." : normalize(given.replace(/\/+$/, "") || ".");
  if ([file, context].some((path) => path.startsWith("..") || path.startsWith("/"))) return null;
  if (context === ".") return { context: "", dockerfile: file };
  const prefix = `${join(context)}/`;
  if (!file.startsWith(prefix)) return null;
  return { context: prefix.slice(0, -1), dockerfile: file.slice(prefix.length) };
}

/** From what a builder's command line takes: `--build-arg A=b`, `--build-arg=A=b`, `--target x`. */
function buildOptions(given: readonly string[]): {
  args: Record<string, string>;
  target: string | null;
  unknown: string[];
} {
  const args: Record<string, string> = {};
  const unknown: string[] = [];
  let target: string | null = null;
  const words = given.flatMap((one) => {
    const at = one.startsWith("--") ? one.indexOf("=") : -1;
    return at === -1 ? [one] : [one.slice(0, at), one.slice(at + 1)];
  });
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    const value = words[at + 1];
    if (word === "--build-arg" && value?.includes("=") === true) {
      args[value.slice(0, value.indexOf("="))] = value.slice(value.indexOf("=") + 1);
      at += 1;
    } else if (word === "--target" && value !== undefined) {
      target = value;
      at += 1;
    } else unknown.push(word);
  }
  return { args, target, unknown };
}
