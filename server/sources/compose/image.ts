import { known, unknown } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import { parseImageReference } from "../../protocol/image-reference.ts";
import type { ImageBuild, SourceService } from "../../protocol/service.ts";
import { buildKeys } from "./keys.ts";
import { mapOf, textOf, whyUnset } from "./part.ts";
import type { Part } from "./part.ts";
import { resolvePath, whyOutside } from "./paths.ts";
import { Section } from "./section.ts";
import { anyText } from "./values.ts";

const reference = {
  wanted: "image: write one such as postgres:17",
  parse: (text: string) => (parseImageReference(text) === null ? null : text),
};

/** Null, and reported, for a service that has neither an image nor a build. */
export function readImage(service: Section): Pick<SourceService, "image" | "build"> | null {
  const none = known(null, service.where);
  const buildPart = service.get("build");
  const build = buildPart === null ? none : readBuild(service, buildPart);
  const imagePart = service.get("image");
  if (imagePart !== null) {
    return { image: service.fact("image", reference, unknown("", service.where)), build };
  }
  const extended = service.get("extends");
  if (buildPart === null && extended !== null) {
    return { image: unknown("What it extends is not known.", extended.mark.where), build };
  }
  if (buildPart === null) {
    service.map.mark.error(
      "no-image",
      `The ${service.of} has neither an image nor a build: add \`image:\` or \`build:\`.`,
    );
    return null;
  }
  const why = "It is built, and its image has no name of its own.";
  return { image: unknown(why, buildPart.mark.where), build };
}

function readBuild(service: Section, part: Part): Fact<ImageBuild | null> {
  const { where } = part.mark;
  const map = mapOf(part);
  if (map === null) return unknown("This is no build.", where);
  const build = new Section(map, `build of ${service.of}`, service.leftOut).check(buildKeys);
  const args = readArgs(build);
  const target = build.value("target", anyText);
  const dockerfile = build.value("dockerfile", anyText) ?? "Dockerfile";
  const context = build.get("context");
  if (build.get("dockerfile_inline") !== null) {
    const why = "Its Dockerfile stands in the compose file, and not in the repository.";
    build.list("dockerfile_inline", why);
    return unknown(why, where);
  }
  const text = context === null ? "." : textOf(context);
  const why = context?.kind === "scalar" ? whyUnset(context) : null;
  if (text === null || why !== null) return unknown(why ?? "This is no path.", where);
  const folder = resolvePath((context ?? part).mark.origin.folder, text);
  if ("outside" in folder) {
    return listed(build, context ?? part, `It is built from elsewhere: ${whyOutside(folder)}.`);
  }
  const file = resolvePath(folder.path, dockerfile);
  if ("outside" in file) {
    const at = build.get("dockerfile") ?? part;
    return listed(build, at, `Its Dockerfile is elsewhere: ${whyOutside(file)}.`);
  }
  return known({ context: folder.path, dockerfile: file.path, args, target }, where);
}

function listed(build: Section, part: Part, why: string): Fact<ImageBuild | null> {
  build.listAt(part.mark, build.of, why);
  return unknown(why, part.mark.where);
}

/** A name alone has its value from who builds; so has what is made of variables that are not set. */
function readArgs(build: Section): Record<string, string | null> {
  const part = build.get("args");
  const map = part === null ? null : mapOf(part);
  const args = new Map<string, string | null>();
  for (const [name, { value }] of map?.entries ?? []) {
    const given = value.mark.origin.env.get(name) ?? null;
    const isName = value.kind === "scalar" && value.value === null;
    const isKnown = !isName && (value.kind !== "scalar" || value.unset.length === 0);
    args.set(name, isName ? given : isKnown ? textOf(value) : null);
  }
  return Object.fromEntries(args);
}
