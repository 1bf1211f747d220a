import type { Place } from "../protocol/fact.ts";
import type { SourceService } from "../protocol/service.ts";
import type { SourceModel } from "../protocol/source-model.ts";
import { addUnknown } from "./context.ts";
import type { Both, Context } from "./context.ts";
import { side } from "./draft.ts";

/** What becomes of the files below a path when the container goes. */
interface Kept {
  readonly kind: "kept" | "lost" | "unknown";
  readonly shown: string;
  readonly where: Place;
}

/** Volumes by where they are mounted, and files that a source brings. */
export function compareStorage(both: Both, context: Context): void {
  const [ofA, ofB] = [keptOf(both.a, context.models.a), keptOf(both.b, context.models.b)];
  const { draft } = context;
  const open = [both.a, both.b].map(({ mounts }) => mounts.some((each) => !each.known));
  for (const path of new Set([...ofA.keys(), ...ofB.keys()])) {
    const [one, other] = [ofA.get(path), ofB.get(path)];
    const sides = { a: shown(one, both.a), b: shown(other, both.b) };
    const code = "persistence";
    const absentUnknown = (one === undefined && open[0]) || (other === undefined && open[1]);
    if (one?.kind === "unknown" || other?.kind === "unknown" || absentUnknown) {
      if (one?.kind === other?.kind) continue;
      addUnknown(draft, { code, service: both.name, subject: path }, sides);
      continue;
    }
    // Without a volume, what is written there goes with the container as well.
    const same = (one?.kind ?? "lost") === (other?.kind ?? "lost");
    draft.count(same);
    if (same) continue;
    const what = `What is written to ${path} is kept on one side only.`;
    draft.add({ code, service: both.name, subject: path, what, ...sides });
  }
  compareFiles(both, context);
}

function shown(kept: Kept | undefined, service: SourceService) {
  return kept === undefined ? side(null, service.name.where) : side(kept.shown, kept.where);
}

function keptOf(service: SourceService, model: SourceModel): Map<string, Kept> {
  const kept = new Map<string, Kept>();
  const volumes = new Map(
    model.volumes.flatMap((each) => (each.name.known ? [[each.name.value, each] as const] : [])),
  );
  for (const fact of service.mounts) {
    if (!fact.known) continue;
    const { volume, path } = fact.value;
    const ephemeral = volumes.get(volume)?.ephemeral;
    const kind =
      ephemeral === undefined || !ephemeral.known ? "unknown" : ephemeral.value ? "lost" : "kept";
    const word = {
      kept: "a volume that is kept",
      lost: "a volume that is lost with it",
      unknown: "a volume",
    };
    kept.set(clean(path), { kind, shown: `${word[kind]} (${volume})`, where: fact.where });
  }
  for (const fact of service.tmpfs) {
    if (!fact.known) continue;
    kept.set(clean(fact.value.path), { kind: "lost", shown: "memory", where: fact.where });
  }
  return kept;
}

function clean(path: string): string {
  return path.replace(/(.)\/+$/, "$1");
}

interface File {
  /** Null: the content is not known, or is a secret's: then a file is a file. */
  readonly text: string | null;
  readonly shown: string;
  readonly where: Place;
}

/** Contents are compared and never shown. */
function compareFiles(both: Both, context: Context): void {
  const { draft } = context;
  const [ofA, ofB] = [filesOf(both.a), filesOf(both.b)];
  const [keptA, keptB] = [keptOf(both.a, context.models.a), keptOf(both.b, context.models.b)];
  for (const path of new Set([...ofA.keys(), ...ofB.keys()])) {
    const [one, other] = [ofA.get(path), ofB.get(path)];
    // A folder of the repository that is mounted is a folder of files on the other side.
    const below = (files: ReadonlyMap<string, File>): boolean =>
      [...files.keys()].some((each) => each.startsWith(`${path}/`) || path.startsWith(`${each}/`));
    if (
      (one === undefined && (below(ofA) || keptA.has(path))) ||
      (other === undefined && (below(ofB) || keptB.has(path)))
    )
      continue;
    const known = one !== undefined && other !== undefined;
    if (known && (one.text === null || other.text === null)) continue;
    const same = known && one.text === other.text;
    draft.count(same);
    if (same) continue;
    const what = known
      ? `The file ${path} says something else.`
      : `${path} is there on one side only.`;
    const sideFor = (file: File | undefined, service: SourceService) =>
      file === undefined ? side(null, service.name.where) : side(file.shown, file.where);
    draft.add({
      code: "config-file",
      service: both.name,
      subject: path,
      what,
      a: sideFor(one, both.a),
      b: sideFor(other, both.b),
    });
  }
}

function filesOf({ files }: SourceService): Map<string, File> {
  const found = new Map<string, File>();
  for (const fact of files) {
    if (!fact.known) continue;
    const { path, content } = fact.value;
    const { where } = fact;
    switch (content.kind) {
      case "literal":
        found.set(clean(path), {
          text: content.text,
          shown: `a file of ${content.text.length} characters`,
          where,
        });
        break;
      case "repository":
        found.set(clean(path), { text: null, shown: `${content.path} of the repository`, where });
        break;
      case "secretRef":
        found.set(clean(path), {
          text: null,
          shown: `key ${content.key} of secret ${content.secret}`,
          where,
        });
        break;
      case "unknown":
        found.set(clean(path), { text: null, shown: "a file that is not known", where });
        break;
    }
  }
  return found;
}
