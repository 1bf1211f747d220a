import { OneloopError } from "../protocol/errors.ts";
import type { Fact } from "../protocol/fact.ts";
import type { SourceModel } from "../protocol/source-model.ts";
import type { PlanChoices } from "../plan/plan.ts";
import { readSources } from "../sources/production.ts";
import type { Files } from "./configuration.ts";

/** What somebody asks of the mirror; what is unsaid, the devfile's attributes say. */
export interface MirrorRequest {
  /** A file or folder of the repository, or several compose files (`sourcePaths`); null: none. */
  readonly mirror?: string | null | undefined;
  /** Services of production that are developed here. */
  readonly develop?: readonly string[] | undefined;
}

export interface Production {
  /** Null: nothing is mirrored. */
  readonly model: SourceModel | null;
  readonly choices: Pick<PlanChoices, "mirror">;
}

/**
 * Reads the topology that is mirrored around the dev service: the one that was asked for, else the
 * devfile's, else none.
 *
 * @param images Those that stand in for production's.
 * @throws OneloopError `bad-input` where there is none, `plan-impossible` with all of its mistakes
 */
export async function readProduction(
  files: Files,
  development: SourceModel,
  { request, images }: { request: MirrorRequest; images: Readonly<Record<string, string>> },
): Promise<Production> {
  const attribute = development.mirror;
  const asked = request.mirror;
  const wanted = asked === undefined ? (valueOf(attribute?.source) ?? null) : asked;
  if (wanted === null) return noProduction(request);
  const { render } = files;
  const reading = { prefers: "production", ...(render === undefined ? {} : { render }) } as const;
  const { source, result } = await readSources(wanted, files, reading).catch((error: unknown) => {
    throw asked === undefined && attribute !== undefined
      ? atAttribute(error, attribute.source)
      : error;
  });
  if (!result.ok) {
    const count = result.diagnostics.filter(({ severity }) => severity === "error").length;
    throw new OneloopError(
      "plan-impossible",
      `${source}, which says how production runs, has ${count} mistake${count === 1 ? "" : "s"}. Nothing was started.`,
      { diagnostics: [...result.diagnostics] },
    );
  }
  const develop = request.develop ?? valueOf(attribute?.develop) ?? null;
  return { model: result.model, choices: { mirror: { source, develop, images } } };
}

function noProduction({ develop }: MirrorRequest): Production {
  if (develop === undefined || develop.length === 0) return { model: null, choices: {} };
  throw new OneloopError(
    "bad-input",
    `Which of production's services are developed (${develop.join(", ")}) says something only where production is mirrored: name its file or folder, too.`,
  );
}

/** The mistake is the devfile's, which names what is not there. */
function atAttribute(error: unknown, source: Fact<string>): unknown {
  if (!(error instanceof OneloopError) || !("file" in source.where)) return error;
  const shape = { length: 1, severity: "error", code: "no-mirror" } as const;
  const diagnostics = [{ ...source.where, ...shape, message: error.message }];
  return new OneloopError("devfile-invalid", error.message, { diagnostics, cause: error });
}

function valueOf<Value>(fact: Fact<Value> | undefined): Value | undefined {
  return fact?.known === true ? fact.value : undefined;
}
