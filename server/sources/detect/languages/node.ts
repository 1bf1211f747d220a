import type { Detector, Finding, OfferedCommand, Reason, SetUpCommand } from "../finding.ts";
import { memberAt, membersOf, parseJson, textOf, type JsonValue } from "../json.ts";
import type { Project, RepositoryFile } from "../tree.ts";
import { compare, imageVersions, inRange, newestNamed, parseVersion } from "../versions.ts";
import { askedVersion, managerFiles } from "./asked.ts";
import { npmProgram } from "./npm-program.ts";

type Manager = "npm" | "pnpm" | "yarn" | "bun";

interface Lock {
  readonly file: string;
  readonly manager: Manager;
  readonly install: string;
}

/** What each lock file's own manager installs by, without changing the lock file. */
const locks: readonly Lock[] = [
  { file: "package-lock.json", manager: "npm", install: "npm ci" },
  { file: "npm-shrinkwrap.json", manager: "npm", install: "npm ci" },
  { file: "pnpm-lock.yaml", manager: "pnpm", install: "pnpm install --frozen-lockfile" },
  { file: "yarn.lock", manager: "yarn", install: "yarn install" },
  { file: "bun.lock", manager: "bun", install: "bun install --frozen-lockfile" },
  { file: "bun.lockb", manager: "bun", install: "bun install --frozen-lockfile" },
];

/** Which scripts are for what: of each list the first that the project has. */
const scriptsOf = {
  run: ["dev", "start:dev", "start", "serve"],
  test: ["test"],
  build: ["build"],
  debug: ["debug", "start:debug", "dev:debug"],
} as const;

/** Where the usual servers listen unless they are told otherwise, by a word of the script. */
const serverPorts: readonly (readonly [program: RegExp, port: number])[] = [
  [/\bvite(?!st)\b(?! build)/, 5173],
  [/\b(?:next|nuxt|nuxi)\b/, 3000],
  [/\breact-scripts start\b/, 3000],
  [/\bastro\b/, 4321],
  [/\bng serve\b/, 4200],
  [/\bvue-cli-service serve\b/, 8080],
  [/\bwebpack(?:-dev-server| serve)\b/, 8080],
  [/\bgatsby\b/, 8000],
];

/** What `npm init` writes: a test that says that there is none. */
const noTest = /no test specified/;

/** The long-term releases that Node.js gives a name. */
const codenames: Readonly<Record<string, number>> = {
  argon: 4,
  boron: 6,
  carbon: 8,
  dubnium: 10,
  erbium: 12,
  fermium: 14,
  gallium: 16,
  hydrogen: 18,
  iron: 20,
  jod: 22,
  krypton: 24,
};

export const node: Detector = {
  name: "Node.js",
  language: true,
  marks: ["package.json"],
  reads: [...managerFiles, ".nvmrc", ".node-version"],
  detect(project) {
    const file = project.first(["package.json"]);
    const json = file === null ? null : parseJson(file);
    if (file === null) return {};
    if (json === null) {
      return {
        leftOut: [{ what: file.path, why: "It is no JSON that can be read.", where: file.place() }],
      };
    }
    const { manager, setUp } = dependencies(project, file, json);
    const commands = scripts(json, manager);
    return {
      setUp: [...wantedNode(project, json), ...setUp],
      commands,
      ports: ports(json, commands),
    };
  },
};

/** The package manager, and how what the lock file says is installed. */
function dependencies(
  project: Project,
  file: RepositoryFile,
  json: JsonValue,
): { manager: Manager; setUp: SetUpCommand[] } {
  const lock = locks.find((each) => project.has(each.file));
  const named = memberAt(json, "packageManager");
  const [, name, version] = /^(npm|pnpm|yarn|bun)@(\d+\.\d+\.\d+)/.exec(textOf(named) ?? "") ?? [];
  const manager = (name as Manager | undefined) ?? lock?.manager ?? "npm";
  const lockAt = lock === undefined ? null : (project.first([lock.file])?.place() ?? null);
  const because: Reason =
    name !== undefined && named !== null
      ? { at: named.key, why: `it names ${manager} as its package manager` }
      : { at: lockAt ?? file.place(), why: `its lock file is ${manager}'s` };
  const setUp: SetUpCommand[] = [];
  if (manager !== "npm") {
    const wanted = version ?? (manager === "yarn" ? "1" : "latest");
    setUp.push({
      id: `install-${manager}`,
      line: npmProgram({
        folder: manager,
        packages: [managerPackage(manager, wanted)],
        programs: managerPrograms[manager],
      }),
      once: "container",
      reason: because,
    });
  }
  if (lock !== undefined && lockAt !== null) {
    const install = lock.manager === manager ? lock.install : `${manager} install`;
    setUp.push({
      id: "install-dependencies",
      line: install,
      once: "workspace",
      reason: { at: lockAt, why: "it says which packages the project needs" },
    });
  }
  return { manager, setUp };
}

const managerPrograms: Readonly<Record<Exclude<Manager, "npm">, readonly string[]>> = {
  pnpm: ["pnpm", "pnpx"],
  yarn: ["yarn"],
  bun: ["bun", "bunx"],
};

/** Yarn's later versions are a package of another name. */
function managerPackage(manager: Manager, version: string): string {
  const berry = manager === "yarn" && !/^1(\.|$)/.test(version);
  return `${berry ? "@yarnpkg/cli-dist" : manager}@${version}`;
}

/** Another Node.js than the default image's, where the repository wants one. */
function wantedNode(project: Project, json: JsonValue): SetUpCommand[] {
  const wanted = nodeVersion(project, json);
  if (wanted === null) return [];
  const { version, reason } = wanted;
  const [major = 0] = parseVersion(version) ?? [];
  // Those npm versions run on that Node.js, by their own `engines`.
  const npm = major >= 22 ? null : major >= 18 ? 10 : major >= 14 ? 8 : 6;
  return [
    {
      id: "install-node",
      line: npmProgram({
        folder: `node-${version}`,
        packages: [
          `"node-linux-$(node -p process.arch)@${version}"`,
          ...(npm === null ? [] : [`npm@${npm}`]),
        ],
        programs: ["node", ...(npm === null ? [] : ["npm", "npx"])],
      }),
      once: "container",
      version: `Node.js ${version}`,
      reason,
    },
  ];
}

function nodeVersion(
  project: Project,
  json: JsonValue,
): { version: string; reason: Reason } | null {
  const asked = askedVersion(
    project,
    ["node", "nodejs"],
    [
      [".nvmrc", /^[ \t]*([^\s#]+)/m],
      [".node-version", /^[ \t]*([^\s#]+)/m],
    ],
  );
  const pinned = parseVersion(asked?.text ?? "") ?? named(asked?.text ?? "");
  if (asked !== null && pinned !== null) {
    return other(pinned, { at: asked.at, why: `it asks for Node.js ${asked.text}` });
  }
  const volta = memberAt(json, "volta", "node");
  const exact = parseVersion(textOf(volta) ?? "");
  if (volta !== null && exact !== null) {
    return other(exact, { at: volta.key, why: `it asks for Node.js ${exact.join(".")}` });
  }
  const engines = memberAt(json, "engines", "node");
  const range = textOf(engines);
  if (engines === null || range === null || inRange(imageVersions.node, range)) return null;
  const newest = newestNamed(range);
  if (newest === null) return null;
  return other([newest], { at: engines.key, why: `it asks for Node.js ${range}` });
}

function named(text: string): number[] | null {
  const major = codenames[text.replace(/^lts\//, "").toLowerCase()];
  return major === undefined ? null : [major];
}

function other(version: readonly number[], reason: Reason) {
  const [major = 0] = version;
  // Older ones are not on npm for this system.
  if (major < 6 || (version.length === 1 && compare(version, imageVersions.node) === 0))
    return null;
  return { version: version.join("."), reason };
}

function scripts(json: JsonValue, manager: Manager): OfferedCommand[] {
  const all = membersOf(memberAt(json, "scripts")?.value ?? null);
  return Object.entries(scriptsOf).flatMap(([group, names]) => {
    const name = names.find((each) => {
      const text = textOf(all.get(each) ?? null);
      return text !== null && !noTest.test(text);
    });
    const script = name === undefined ? undefined : all.get(name);
    if (name === undefined || script === undefined) return [];
    return [
      {
        id: name.replaceAll(":", "-"),
        group: group as OfferedCommand["group"],
        line: `${manager} run ${name}`,
        reason: { at: script.key, why: `the script ${JSON.stringify(name)}` },
      },
    ];
  });
}

/** Where the script of `run` listens: as it says itself, or as its program does by default. */
function ports(
  json: JsonValue,
  commands: readonly OfferedCommand[],
): NonNullable<Finding["ports"]> {
  const run = commands.find(({ group }) => group === "run");
  const name = run?.line.split(" ").at(-1) ?? "";
  const script = memberAt(json, "scripts", name);
  const text = textOf(script);
  if (script === null || text === null) return [];
  const [, said] = /(?:--port[= ]|-p[= ]?|\bPORT=)(\d{2,5})\b/.exec(text) ?? [];
  const known = serverPorts.find(([program]) => program.test(text))?.[1];
  const port = said === undefined ? known : Number(said);
  if (port === undefined) return [];
  const why = said === undefined ? "its program listens there by default" : "it says so";
  return [
    { port, reason: { at: script.value.at, why: `the script ${JSON.stringify(name)}: ${why}` } },
  ];
}
