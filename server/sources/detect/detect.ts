import type { LeftOut } from "../../protocol/source-model.ts";
import { supervisorPort } from "../../protocol/supervisor.ts";
import { detectors, searchedFolders } from "./detectors.ts";
import type { Detector, Finding, FoundCommand, OfferedCommand, Reason } from "./finding.ts";
import { arranged, isShared, type NamedSetUp, type SetUp } from "./set-up.ts";
import { Project, type Listing } from "./tree.ts";

/** Everything that was found, with its names in the devfile. */
export interface Found {
  /** What was found where: `Node.js in api`. */
  readonly projects: readonly {
    readonly name: string;
    readonly folder: string;
    readonly reason: Reason;
  }[];
  readonly packages: ReadonlyMap<string, readonly Reason[]>;
  readonly env: NonNullable<Finding["env"]>;
  readonly ports: readonly {
    readonly name: string;
    readonly port: number;
    readonly reason: Reason;
  }[];
  readonly setUp: {
    readonly first: SetUp["first"];
    readonly beside: readonly SetUpBeside[];
    /** What runs all of `beside` at once. */
    readonly all: string;
  };
  readonly commands: readonly (NamedCommand & {
    readonly group: OfferedCommand["group"];
    readonly isDefault: boolean;
  })[];
  readonly leftOut: readonly LeftOut[];
}

export interface NamedCommand extends FoundCommand {
  /** Empty for the root. */
  readonly folder: string;
}

/** What is set up beside others, one command after the other. */
export interface SetUpBeside {
  /** Of the whole, where it is more than one command. */
  readonly id: string;
  readonly commands: readonly NamedSetUp[];
}

/** A devfile has few ports by name; more are seen when something listens there. */
const maxPorts = 10;

/** Looks at the root and at the folders directly below it. Pure; never throws. */
export function findProjects(listing: Listing): Found {
  const paths = new Set(listing.paths);
  const at = (folder: string): Project => new Project(folder, { paths, texts: listing.texts });
  const root = at("");
  const inRoot = detectors.filter((detector) => applies(detector, root));
  const below = searchedFolders(foldersOf(listing.paths)).flatMap((folder) => {
    const project = at(folder);
    return detectors
      .filter((detector) => detector.language && !inRoot.includes(detector))
      .filter((detector) => applies(detector, project))
      .map((detector) => ({ detector, project }));
  });
  const all = [...inRoot.map((detector) => ({ detector, project: root })), ...below].map(
    ({ detector, project }) => ({ detector, project, finding: detector.detect(project) }),
  );
  const named = new Names();
  const projects = all.map(({ finding: { setUp: wanted = [] }, project }) => ({
    ...{ folder: project.folder, wanted, given: named.give(wanted, project) },
  }));
  const commands = withDefaults(
    all.flatMap(({ finding, project }) => named.give(finding.commands ?? [], project)),
  );
  const { first, beside } = arranged(projects);
  return {
    projects: all.map(({ detector, project }) => ({
      name: detector.name,
      folder: project.folder,
      reason: { at: placeOf(detector, project), why: detector.name },
    })),
    packages: packagesOf(all.map(({ finding }) => finding)),
    env: uniqueBy(
      all.flatMap(({ finding }) => finding.env ?? []),
      ({ name }) => name,
    ),
    ports: portsOf(all.map(({ finding }) => finding)),
    setUp: {
      first,
      beside: beside.map((each) => {
        const folder = each.find((command) => command.folder !== "")?.folder;
        return { id: named.name("set-up", folder), commands: each };
      }),
      all: named.name("set-up-all"),
    },
    commands,
    leftOut: [
      ...all.flatMap(({ finding }) => finding.leftOut ?? []),
      ...secondVersions(
        all,
        projects.flatMap(({ given }) => given),
      ),
    ],
  };
}

/** A container has one version of each language: that of the project that came first. */
function secondVersions(
  all: readonly { readonly finding: Finding }[],
  installed: readonly (Pick<NamedCommand, "id"> & { readonly version?: string })[],
): LeftOut[] {
  const first = new Map(installed.map(({ id, version }) => [id, version]));
  return all.flatMap(({ finding }) =>
    (finding.setUp ?? []).flatMap(({ id, version, reason }) => {
      const kept = first.get(id);
      if (version === undefined || kept === undefined || kept === version) return [];
      const why = `The container has ${kept}, for another project: for both, write a devfile with two components.`;
      return [{ what: version, why, where: reason.at }];
    }),
  );
}

function applies({ marks }: Detector, project: Project): boolean {
  return marks.some((name) => project.has(name));
}

function placeOf({ marks }: Detector, project: Project): Reason["at"] {
  return project.first(marks)?.place() ?? { file: project.folder, line: 1, column: 1 };
}

function foldersOf(paths: readonly string[]): string[] {
  const folders = paths.flatMap((path) => {
    const end = path.indexOf("/");
    return end === -1 ? [] : [path.slice(0, end)];
  });
  return [...new Set(folders)];
}

function packagesOf(findings: readonly Finding[]): Map<string, Reason[]> {
  const packages = new Map<string, Reason[]>();
  for (const { name, reason } of findings.flatMap((finding) => finding.packages ?? [])) {
    packages.set(name, [...(packages.get(name) ?? []), reason]);
  }
  return packages;
}

function portsOf(findings: readonly Finding[]): Found["ports"] {
  const legal = findings
    .flatMap(({ ports }) => ports ?? [])
    .filter(({ port }) => port >= 1 && port <= 65_535 && port !== supervisorPort);
  return uniqueBy(legal, ({ port }) => String(port))
    .slice(0, maxPorts)
    .map(({ port, reason }, at) => ({ name: at === 0 ? "web" : `web-${at + 1}`, port, reason }));
}

/** Of each purpose the first is the default. */
function withDefaults<One extends OfferedCommand>(
  commands: readonly One[],
): (One & { isDefault: boolean })[] {
  const seen = new Set<string>();
  return commands.map((command) => {
    const isDefault = !seen.has(command.group);
    seen.add(command.group);
    return { ...command, isDefault };
  });
}

/** Of two with one key the first. */
function uniqueBy<One>(all: readonly One[], keyOf: (one: One) => string): One[] {
  const seen = new Set<string>();
  return all.filter((one) => {
    const key = keyOf(one);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** The ids of a devfile's commands: unique, of a-z, 0-9 and `-`, at most 63 characters. */
class Names {
  readonly #used = new Set<string>();

  give<One extends FoundCommand>(
    commands: readonly One[],
    { folder }: Project,
  ): (One & NamedCommand)[] {
    return commands.flatMap((command) => {
      const shared = isShared(command);
      if (shared && this.#used.has(command.id)) return [];
      const id = this.name(command.id, shared ? "" : folder);
      return [{ ...command, id, folder: shared ? "" : folder }];
    });
  }

  /** @param folder of what has the name; it is in the name. */
  name(own: string, folder = ""): string {
    const wanted = folder === "" ? own : `${slug(folder)}-${own}`;
    let id = wanted.slice(0, 60);
    for (let count = 2; this.#used.has(id); count += 1) id = `${wanted.slice(0, 56)}-${count}`;
    this.#used.add(id);
    return id;
  }
}

/** A name that a devfile takes. */
export function slug(text: string): string {
  const plain = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 40)
    .replace(/-+$/, "");
  return plain === "" ? "project" : plain;
}
