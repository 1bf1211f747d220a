import { OneloopError } from "../protocol/errors.ts";
import type { ConfigurationView } from "../protocol/preview.ts";
import type { SourceModel } from "../protocol/source-model.ts";
import { searchedFolders, wantedTexts } from "../sources/detect/detectors.ts";
import { detect, foundFile } from "../sources/detect/read.ts";
import type { DevfileDocuments } from "../sources/devfile/flatten.ts";
import { devfilePaths, readDevfile } from "../sources/devfile/read.ts";
import type { SourceFiles } from "../sources/files.ts";
import type { SourceReading } from "../sources/production.ts";

/** Far above every real devfile; a larger one is not read into memory. */
export const maxDevfileBytes = 1024 * 1024;
/** A larger file of which detection would read a line or two is passed over. */
const maxReadBytes = 256 * 1024;

/** A repository, at a commit or in a folder. */
export interface Files extends SourceFiles {
  /** The repository's own name. */
  readonly name: string;
  /** What kustomize makes of a folder; absent: nothing can. */
  readonly render?: SourceReading["render"];
}

/** Which configuration counts. */
export interface Wish {
  /** A text in the place of the repository's; null: the repository's own. */
  readonly given: string | null;
  /** The path of one of several, as it was asked for now. */
  readonly asked: string | null;
  /** As it was chosen before; where that is gone, it does not count. */
  readonly kept: string | null;
  /** Refuse with `choice-needed` instead of taking the first of several. */
  readonly ask: boolean;
  /** Refuse with `choice-needed` where there is none, instead of taking the one that is found. */
  readonly askFound: boolean;
}

/** A configuration before it is read. */
export interface Configuration extends ConfigurationView {
  /** The paths of all that compete; empty where there is one. */
  readonly choices: readonly string[];
  /** The person has said that it is this one. */
  readonly chosen: boolean;
  /** Of a found one: what to run. Else the text is still to be read. */
  readonly model: SourceModel | null;
}

/** In `.devfile/`, a devfile for each way to work: `api.devfile.yaml`. */
const devfileFolder = ".devfile/";
const isDevfile = (path: string): boolean =>
  /^\.devfile\/(?:[\w.-]*[.-])?devfile\.ya?ml$/.test(path);

/**
 * The repository's devfile, or the one that detection finds. Of several the chosen one counts, else
 * the first.
 *
 * @throws OneloopError `devfile-invalid` for one that is too large, `choice-needed`, `bad-input`
 */
export async function findConfiguration(files: Files, wish: Wish): Promise<Configuration> {
  const one = { choices: [], chosen: false, summary: [], model: null };
  if (wish.given !== null) {
    return { ...one, kind: "given", path: devfilePaths[0], text: wish.given };
  }
  const listed = (await files.list([...devfilePaths, devfileFolder])).filter(
    ({ kind }) => kind === "file",
  );
  const paths = [
    ...devfilePaths.filter((path) => listed.some((each) => each.path === path)),
    ...listed
      .map(({ path }) => path)
      .filter((path) => isDevfile(path) && !(devfilePaths as readonly string[]).includes(path))
      .toSorted(),
  ];
  if (wish.asked !== null && !paths.includes(wish.asked)) throw noSuchChoice(wish.asked, paths);
  const chosen = wish.asked ?? paths.find((path) => path === wish.kept) ?? null;
  const path = chosen ?? paths[0];
  const file = listed.find((each) => each.path === path);
  if (file === undefined) {
    const found = await detected(files);
    if (wish.askFound) throw foundNeedsLook(found.path);
    return { ...one, ...found };
  }
  const choices = paths.length > 1 ? paths : [];
  if (chosen === null && wish.ask && choices.length > 0) throw choiceNeeded(choices);
  const text = (await files.texts([file], maxDevfileBytes)).get(file.path);
  if (text === undefined) {
    throw new OneloopError(
      "devfile-invalid",
      `${file.path} has ${file.size} bytes; at most ${maxDevfileBytes} are read.`,
    );
  }
  return { ...one, kind: "devfile", path: file.path, text, choices, chosen: chosen !== null };
}

async function detected(
  files: Files,
): Promise<Pick<Configuration, "kind" | "path" | "text" | "summary" | "model">> {
  const root = await files.list([]);
  const folders = root.filter(({ kind }) => kind === "folder").map(({ path }) => path);
  const searched = searchedFolders(folders).map((folder) => `${folder}/`);
  const below = searched.length === 0 ? [] : await files.list(searched);
  const all = [...root, ...below].filter(({ kind }) => kind === "file");
  const wanted = new Set(wantedTexts(all.map(({ path }) => path)));
  const texts = await files.texts(
    all.filter(({ path }) => wanted.has(path)),
    maxReadBytes,
  );
  const { text, model, summary } = detect(
    { paths: all.map(({ path }) => path), texts },
    files.name,
  );
  return { kind: "found", path: foundFile, text, summary: [...summary], model };
}

/**
 * What the configuration says.
 *
 * @param parents What `collectParents` found for it.
 *
 * @throws OneloopError `devfile-invalid`, with all mistakes
 */
export function readConfiguration(
  { model, text, path }: Configuration,
  parents: DevfileDocuments,
): SourceModel {
  if (model !== null) return model;
  const read = readDevfile(text, path, parents);
  if (read.ok) return read.model;
  const count = read.diagnostics.filter(({ severity }) => severity === "error").length;
  throw new OneloopError(
    "devfile-invalid",
    `${path} has ${count} mistake${count === 1 ? "" : "s"}. Nothing was started.`,
    { diagnostics: [...read.diagnostics] },
  );
}

/** With a place for each of them: who asks shows these. */
function choiceNeeded(paths: readonly string[]): OneloopError {
  return new OneloopError(
    "choice-needed",
    `This repository has ${paths.length} configurations: ${paths.join(", ")}. Say which one counts; the answer is kept.`,
    {
      diagnostics: paths.map((file) => ({
        ...{ file, line: 1, column: 1, length: 1, severity: "warning", code: "configuration" },
        message: "One of the configurations of this repository.",
      })),
    },
  );
}

function foundNeedsLook(path: string): OneloopError {
  return new OneloopError(
    "choice-needed",
    `This repository has no ${path}. See what was found in it before it starts.`,
  );
}

function noSuchChoice(path: string, paths: readonly string[]): OneloopError {
  const have = paths.length === 0 ? "It has no devfile." : `It has ${paths.join(", ")}.`;
  return new OneloopError(
    "bad-input",
    `The repository has no configuration ${JSON.stringify(path.slice(0, 200))}. ${have}`,
  );
}
