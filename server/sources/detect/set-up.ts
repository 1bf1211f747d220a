import type { NamedCommand } from "./detect.ts";
import type { SetUpCommand } from "./finding.ts";

export type NamedSetUp = NamedCommand & Pick<SetUpCommand, "once" | "version">;

/** What one project wants, and what of it none before it has. */
export interface ProjectSetUp {
  readonly folder: string;
  readonly wanted: readonly SetUpCommand[];
  readonly given: readonly NamedSetUp[];
}

/** How the set-up runs: `first` in its order, then `beside` at once, each of them in its order. */
export interface SetUp {
  readonly first: readonly NamedSetUp[];
  readonly beside: readonly (readonly NamedSetUp[])[];
}

interface Chain {
  readonly folders: readonly string[];
  readonly ids: readonly string[];
  readonly commands: readonly NamedSetUp[];
}

/** The same tool for two projects: it is installed once. */
export function isShared({ id }: Pick<SetUpCommand, "id">): boolean {
  return /^install-(?!dependencies$)/.test(id);
}

/**
 * What fails stops what comes behind it, so that folders only wait for each other where one needs
 * what is installed for another. A tool for several comes before all; a language in a version of its
 * own may well be what fails, and ties only its projects together.
 */
export function arranged(projects: readonly ProjectSetUp[]): SetUp {
  const folders = foldersOf(projects);
  const isForSeveral = ({ id }: Pick<SetUpCommand, "id">) => (folders.get(id)?.size ?? 0) > 1;
  const leading = (wanted: readonly SetUpCommand[]) => {
    const end = wanted.findIndex(
      (command) => command.version !== undefined || !isForSeveral(command),
    );
    return (end === -1 ? wanted : wanted.slice(0, end)).map(({ id }) => id);
  };
  const isFirst = ({ id }: Pick<SetUpCommand, "id">) =>
    isForSeveral({ id }) &&
    projects
      .filter(({ wanted }) => wanted.some((command) => command.id === id))
      .every(({ wanted }) => leading(wanted).includes(id));
  const all = projects.flatMap(({ given }) => given);
  const chains = projects.reduce<readonly Chain[]>(
    (before, { folder, wanted, given }) =>
      joined(before, {
        folders: [folder],
        ids: wanted.filter((one) => isForSeveral(one) && !isFirst(one)).map(({ id }) => id),
        commands: given.filter((one) => !isShared(one) || !isFirst(one)),
      }),
    [],
  );
  const beside = chains.map(({ commands }) => commands).filter(({ length }) => length > 0);
  if (beside.length < 2) return { first: all, beside: [] };
  return { first: all.filter((one) => isShared(one) && isFirst(one)), beside };
}

/** In which folders each shared command is wanted. */
function foldersOf(projects: readonly ProjectSetUp[]): ReadonlyMap<string, ReadonlySet<string>> {
  const folders = new Map<string, Set<string>>();
  for (const { folder, wanted } of projects) {
    for (const { id } of wanted.filter(isShared)) {
      folders.set(id, (folders.get(id) ?? new Set()).add(folder));
    }
  }
  return folders;
}

/** With one more, behind all that it has a folder or a command in common with. */
function joined(chains: readonly Chain[], one: Chain): Chain[] {
  const isNear = ({ folders, ids }: Chain): boolean =>
    folders.some((folder) => one.folders.includes(folder)) ||
    ids.some((id) => one.ids.includes(id));
  const near = [...chains.filter(isNear), one];
  return [
    ...chains.filter((chain) => !isNear(chain)),
    {
      folders: near.flatMap(({ folders }) => folders),
      ids: near.flatMap(({ ids }) => ids),
      commands: near.flatMap(({ commands }) => commands),
    },
  ];
}
