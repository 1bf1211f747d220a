import type { Detector, OfferedCommand, Reason, SetUpCommand } from "../finding.ts";
import { tomlEntry, tomlTable, tomlText } from "../toml.ts";
import type { Project } from "../tree.ts";
import { imageVersions } from "../versions.ts";
import { askedVersion, managerFiles, pinned, ranged, type Wanted } from "./asked.ts";
import { miseInstall, type MiseTool } from "./mise.ts";

/** In the project's folder: editors look for it there. */
const venv = ".venv";
const inVenv = `. ${venv}/bin/activate && `;
const makeVenv = `python3 -m venv ${venv} && ${inVenv}`;

/** What says which packages there are, and how they come into the project's venv. */
const dependencyFiles: readonly { readonly file: string; readonly install: string }[] = [
  { file: "uv.lock", install: "pip install uv && uv sync --frozen --active" },
  { file: "poetry.lock", install: "pip install poetry && poetry install" },
  { file: "pdm.lock", install: "pip install pdm && pdm sync" },
  { file: "Pipfile.lock", install: "pip install pipenv && pipenv sync --dev" },
  { file: "requirements.txt", install: "pip install -r requirements.txt" },
];

/** Where Django's own server listens by default. */
const djangoPort = 8000;

const tool: MiseTool = {
  tool: "python",
  name: "Python",
  debian: imageVersions.python,
  // Of those that are compiled already there are nearly all, and they bring what they need.
  settings: { MISE_PYTHON_COMPILE: "0" },
};

export const python: Detector = {
  name: "Python",
  language: true,
  marks: ["pyproject.toml", "requirements.txt", "Pipfile", "setup.py"],
  reads: [...managerFiles, ".python-version", "pytest.ini", "tox.ini", "setup.cfg"],
  detect(project) {
    const other = miseInstall(tool, wantedPython(project));
    const prefix = venvPrefix(project);
    const commands = [...runs(project, prefix), ...tests(project, prefix)];
    const django = project.first(["manage.py"]);
    return {
      setUp: [...other.setUp, ...installs(project)],
      commands,
      ports:
        django === null
          ? []
          : [{ port: djangoPort, reason: { at: django.place(), why: "Django's own server" } }],
      leftOut: other.leftOut,
    };
  },
};

/** Before a line of the project: in its venv, where it has one. */
export function venvPrefix(project: Project): string {
  return installs(project).length === 0 ? "" : inVenv;
}

function installs(project: Project): SetUpCommand[] {
  const found = dependencyFiles.find(({ file }) => project.has(file));
  const file = found === undefined ? null : project.first([found.file]);
  if (found === undefined || file === null) return [];
  return [
    {
      id: "install-dependencies",
      line: `${makeVenv}${found.install}`,
      once: "workspace",
      reason: { at: file.place(), why: "it says which packages the project needs" },
    },
  ];
}

function runs(project: Project, prefix: string): OfferedCommand[] {
  const django = project.first(["manage.py"]);
  if (django !== null) {
    const reason: Reason = { at: django.place(), why: "it is Django's" };
    return [{ id: "run", group: "run", line: `${prefix}python3 manage.py runserver`, reason }];
  }
  const main = project.first(["main.py", "app.py", "__main__.py"]);
  if (main === null) return [];
  const name = main.path.slice(main.path.lastIndexOf("/") + 1);
  const reason: Reason = { at: main.place(), why: "a program of this name is begun with" };
  return [{ id: "run", group: "run", line: `${prefix}python3 ${name}`, reason }];
}

function tests(project: Project, prefix: string): OfferedCommand[] {
  const reason = pytestReason(project);
  if (reason !== null) {
    return [{ id: "test", group: "test", line: `${prefix}python3 -m pytest`, reason }];
  }
  const django = project.first(["manage.py"]);
  if (django === null) return [];
  const line = `${prefix}python3 manage.py test`;
  return [
    { id: "test", group: "test", line, reason: { at: django.place(), why: "it is Django's" } },
  ];
}

function pytestReason(project: Project): Reason | null {
  const pyproject = project.file("pyproject.toml");
  const table = pyproject === null ? null : tomlTable(pyproject, "tool.pytest.ini_options");
  if (table !== null) return { at: table, why: "pytest's settings" };
  const own = project.first(["pytest.ini"]);
  if (own !== null) return { at: own.place(), why: "pytest's settings" };
  for (const [name, pattern] of [
    ["tox.ini", /^\[pytest\]/m],
    ["setup.cfg", /^\[tool:pytest\]/m],
    ["requirements.txt", /^pytest\b/m],
    ["pyproject.toml", /["']pytest\b/],
  ] as const) {
    const found = project.file(name)?.find(pattern) ?? null;
    if (found !== null) return { at: found.at, why: "it names pytest" };
  }
  return null;
}

function wantedPython(project: Project): Wanted | null {
  const have = imageVersions.python;
  const own = [[".python-version", /^[ \t]*([^\s#]+)/m]] as const;
  const asked = askedVersion(project, ["python"], own);
  if (asked !== null) return pinned(asked, have);
  for (const [name, table, key] of [
    ["pyproject.toml", "project", "requires-python"],
    ["pyproject.toml", "tool.poetry.dependencies", "python"],
    ["Pipfile", "requires", "python_full_version"],
    ["Pipfile", "requires", "python_version"],
  ] as const) {
    const file = project.file(name);
    const entry = file === null ? null : tomlEntry(file, table, key);
    if (entry !== null) return ranged({ text: tomlText(entry), at: entry.at }, have);
  }
  return null;
}
