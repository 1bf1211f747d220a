import { clean } from "../../server/protocol/text.ts";
import type { ConfigurationView, Preview, PreviewPart } from "./wire.ts";

const titles: Readonly<Record<PreviewPart["kind"], string>> = {
  service: "Services",
  port: "Ports",
  volume: "Volumes",
  task: "Tasks",
  command: "Commands, when asked for",
  project: "Further repositories",
};

/** Places beyond these are many lines of the same part. */
const shownPlaces = 3;

/** What would run, each part with the places that ask for it, and what would not. */
export function previewLines(preview: Preview): string[] {
  const { configuration, choices, chosen, parts, leftOut, existing } = preview;
  const kinds = Object.keys(titles) as PreviewPart["kind"][];
  return [
    clean(`Configuration: ${configurationText(configuration)}`),
    ...(choices.length === 0
      ? []
      : [clean(`  of ${choices.join(", ")}${chosen ? "; you chose it" : ""}`)]),
    ...(existing === null ? [] : [clean(`You have a workspace of it already: ${existing}`)]),
    ...productionLines(preview),
    ...kinds.flatMap((kind) => {
      const ofKind = parts.filter((part) => part.kind === kind);
      return ofKind.length === 0 ? [] : ["", `${titles[kind]}:`, ...ofKind.flatMap(partLines)];
    }),
    ...(leftOut.length === 0 ? [] : ["", "Not run:"]),
    ...leftOut.map(({ what, why, where }) => clean(`  ${where}: ${what}: ${why}`)),
  ];
}

/** What is mirrored, or could be. */
function productionLines({ plan: { mirror }, offered }: Preview): string[] {
  if (mirror !== undefined) {
    const develops = mirror.develops.join(", ") || "none of its services";
    return [clean(`Production: ${mirror.source}; you develop ${develops}`)];
  }
  const [first] = offered;
  if (first === undefined) return [];
  return [
    clean(`Production is in ${offered.join(", ")}: \`--mirror ${first}\` runs it around this`),
  ];
}

function partLines({ name, says, where }: PreviewPart): string[] {
  const more = where.length - shownPlaces;
  const places = [
    ...where.slice(0, shownPlaces),
    ...(more > 0 ? [`${more} more place${more === 1 ? "" : "s"}`] : []),
  ];
  return [
    clean(`  ${name}: ${says}`),
    ...(places.length === 0 ? [] : [clean(`      because of ${places.join(", ")}`)]),
  ];
}

export function configurationText({ kind, path, summary }: ConfigurationView): string {
  if (kind !== "found") return path;
  return summary.length === 0
    ? "no devfile, and nothing that says what this is: a shell with the usual tools"
    : `no devfile; found ${summary.join(", ")}`;
}
