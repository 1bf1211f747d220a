import { describe, expect, test } from "vitest";
import { plan } from "../../../server/plan/plan.ts";
import { readDevfile } from "../../../server/sources/devfile/read.ts";
import {
  findConfiguration,
  type Configuration,
  type Wish,
} from "../../../server/workspaces/configuration.ts";
import { folderFiles } from "../../../server/workspaces/preview.ts";
import { partsOf } from "../../../server/workspaces/preview-parts.ts";

const devfile = "schemaVersion: 2.2.2\n";
const front = "devfile.yaml";
const api = ".devfile/api.devfile.yaml";

function find(
  texts: Readonly<Record<string, string>>,
  wish: Partial<Wish> = {},
): Promise<Configuration> {
  const files = folderFiles({ name: "shop", paths: Object.keys(texts), texts });
  return findConfiguration(files, {
    ...{ given: null, asked: null, kept: null, ask: false, askFound: false },
    ...wish,
  });
}

describe("of several devfiles", () => {
  const several = { [front]: devfile, [api]: devfile, ".devfile/deployment.yaml": "x" };

  test("the first counts where nobody can be asked; other files of .devfile/ are none", async () => {
    expect(await find(several)).toMatchObject({
      ...{ kind: "devfile", path: front, choices: [front, api], chosen: false },
    });
  });

  test("somebody who can be asked is, with the path of each", async () => {
    const asked = find(several, { ask: true });
    await expect(asked).rejects.toMatchObject({
      code: "choice-needed",
      diagnostics: [{ file: front }, { file: api }],
    });
  });

  test("the one that was chosen counts, now or before; one that is gone asks again", async () => {
    expect(await find(several, { kept: api, ask: true })).toMatchObject({
      path: api,
      chosen: true,
    });
    expect(await find(several, { kept: api, asked: front })).toMatchObject({ path: front });
    await expect(find(several, { kept: "gone.yaml", ask: true })).rejects.toMatchObject({
      code: "choice-needed",
    });
    await expect(find(several, { asked: "gone.yaml" })).rejects.toMatchObject({
      code: "bad-input",
    });
  });

  test("one alone is asked about by nobody", async () => {
    const found = await find({ [api]: devfile }, { ask: true, askFound: true });
    expect(found).toMatchObject({ path: api, choices: [], chosen: false });
  });
});

describe("without a devfile", () => {
  const tree = { "package.json": "{}", "api/go.mod": "module a\n", "vendor/Gemfile": "" };

  test("what is found counts, in the root and below", async () => {
    expect(await find(tree)).toMatchObject({
      kind: "found",
      path: "devfile.yaml",
      summary: ["Node.js (package.json)", "Go (api/go.mod)"],
      model: { format: "detected" },
    });
  });

  test("who wants to see it first is told that there is something to see", async () => {
    await expect(find(tree, { askFound: true })).rejects.toMatchObject({ code: "choice-needed" });
  });

  test("a given text stands before all", async () => {
    const given = await find(tree, { given: devfile, askFound: true });
    expect(given).toMatchObject({ kind: "given", text: devfile });
  });
});

test("every part of a plan is shown in a line, with the places that ask for it", () => {
  const read = readDevfile(
    `schemaVersion: 2.2.2
components:
  - name: dev
    container:
      image: dev:1
      memoryLimit: 1Gi
      endpoints: [{name: web, targetPort: 3000, exposure: internal}]
  - name: data
    volume: {ephemeral: true}
commands:
  - id: setup
    attributes: {oneloop/once: workspace}
    exec: {component: dev, commandLine: make setup}
  - id: go
    exec: {component: dev, commandLine: make go, group: {kind: run, isDefault: true}}
  - id: bye
    exec: {component: dev, commandLine: make bye}
events: {postStart: [setup], preStop: [bye]}
projects:
  - name: lib
    git: {remotes: {origin: https://git.example/lib.git}}
`,
    "devfile.yaml",
  );
  if (!read.ok) throw new Error(read.diagnostics[0]?.message);
  const project = {
    ...{ url: "https://git.example/lib.git", ref: null, commit: "0".repeat(40) },
    path: "/workspace/lib",
    otherRemotes: [{ name: "fork", url: "https://git.example/fork.git" }],
  };
  const parts = partsOf(plan(read.model, null, { checkout: null, projects: [project] }));
  expect(parts.map(({ kind, name, says }) => `${kind} ${name}: ${says}`)).toEqual([
    "service dev: dev:1, you work in it, at most 1024 MiB",
    "port 3000 of dev: web, http, internal",
    "volume data: emptied at each start",
    "task dev: at each start: the image's own command",
    "task setup: once: make setup",
    "task bye: before each stop: make bye",
    "command setup: make setup",
    "command go: run (default): make go",
    "command bye: make bye",
    "project lib: https://git.example/lib.git in /workspace/lib, also fork https://git.example/fork.git",
  ]);
  for (const { name, where } of parts) {
    expect(where.length, name).toBeGreaterThan(0);
    for (const place of where) expect(place).toMatch(/^devfile\.yaml:\d+:\d+$/);
  }
});
