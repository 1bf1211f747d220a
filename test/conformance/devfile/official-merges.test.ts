import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { mergeParts } from "../../../server/sources/devfile/merge.ts";
import { applyOverrides } from "../../../server/sources/devfile/overrides.ts";
import { replaceVariables } from "../../../server/sources/devfile/variables.ts";
import { itemsOf, toPlain, valueOf, type MapNode } from "../../../server/sources/yaml/tree.ts";
import { parseTree } from "../../../server/sources/yaml/parse.ts";
import { SourceText } from "../../../server/sources/yaml/source-text.ts";
import { atHand, codes, fixture, fixtures, has, table, type Row } from "./fixtures.ts";

const merges = "pkg/utils/overriding/test-fixtures/merges";
const patches = "pkg/utils/overriding/test-fixtures/patches";
const variables = "pkg/validation/variables/test-fixtures";

const passed = { merges: 0, overrides: 0, variables: 0 };
const entries = { merges: 0, overrides: 0, variables: 0 };

afterAll(() => {
  const rows = (["merges", "overrides", "variables"] as const).map((set): Row => ({
    set,
    entries: entries[set],
    asListed: passed[set],
    excepted: [],
  }));
  if (atHand) process.stdout.write(table(rows));
});

function folders(path: string): string[] {
  return atHand ? readdirSync(join(fixtures, path)) : [];
}

function load(text: string, file: string): { source: SourceText; tree: MapNode } {
  const source = new SourceText(text, file);
  const tree = parseTree(source);
  if (tree?.kind !== "map") throw new Error(`${file} is no map`);
  return { source, tree };
}

/** Without keys that have nothing in them: the specification's own result has `preStop: []`. */
function plain(tree: MapNode): unknown {
  const value: unknown = JSON.parse(JSON.stringify(toPlain(tree)));
  const { events } = value as { events?: Record<string, string[]> };
  for (const [name, list] of Object.entries(events ?? {})) {
    if (list.length === 0) delete events?.[name];
  }
  return value;
}

/** What the error texts of the specification's code name, in our order. */
function named(text: string): string[] {
  return [...text.matchAll(/: ([-\w, ]+)\. (?:If|They)/g)].flatMap(([, names = ""]) =>
    names.split(", "),
  );
}

describe.skipIf(!atHand)("the specification's own merges", () => {
  const cases = folders(merges);
  entries.merges = cases.length;

  test.each(cases)("%s gives the expected devfile", (name) => {
    const path = (file: string) => `${merges}/${name}/${file}`;
    const main = load(fixture(path("main.yaml")), "main.yaml");
    const parent = has(path("parent.yaml"))
      ? load(fixture(path("parent.yaml")), "parent.yaml")
      : null;
    const plugin = has(path("plugin.yaml"))
      ? load(fixture(path("plugin.yaml")), "plugin.yaml")
      : null;
    const merged = mergeParts({
      main: main.tree,
      takenIn: [
        ...(parent === null ? [] : [{ from: "the parent", content: parent.tree }]),
        ...(plugin === null ? [] : [{ from: 'plugin "p"', content: plugin.tree }]),
      ],
      replaced: new Set(
        itemsOf(main.tree, "components").filter((item) => valueOf(item, "plugin") !== undefined),
      ),
    });
    if (has(path("result-error.txt"))) {
      const found = main.source.diagnostics();
      expect(new Set(codes(found))).toEqual(new Set(["already-taken-in"]));
      const texts = found.map(({ message }) => /"(.*?)"/.exec(message)?.[1] ?? "");
      expect(new Set(texts)).toEqual(new Set(named(fixture(path("result-error.txt")))));
    } else {
      expect(main.source.diagnostics()).toEqual([]);
      expect(plain(merged)).toEqual(plain(load(fixture(path("result.yaml")), "r").tree));
    }
    passed.merges += 1;
  });

  test("are all tried", () => expect(cases.length).toBe(6));
});

describe.skipIf(!atHand)("the specification's own overrides", () => {
  const cases = folders(patches);
  entries.overrides = cases.length;

  test.each(cases)("%s gives the expected devfile", (name) => {
    const path = (file: string) => `${patches}/${name}/${file}`;
    const original = load(fixture(path("original.yaml")), "parent.yaml");
    const patch = load(fixture(path("patch.yaml")), "devfile.yaml");
    const result = applyOverrides(original.tree, patch.tree, "the parent");
    const found = patch.source.diagnostics();
    if (has(path("result-error.txt"))) {
      expect(new Set(codes(found))).toEqual(new Set(["overrides-nothing"]));
      const texts = found.map(({ message }) => /"(.*?)"/.exec(message)?.[1] ?? "");
      expect(new Set(texts)).toEqual(new Set(named(fixture(path("result-error.txt")))));
    } else {
      expect(found).toEqual([]);
      expect(plain(result)).toEqual(plain(load(fixture(path("result.yaml")), "r").tree));
    }
    passed.overrides += 1;
  });

  test("are all tried", () => expect(cases.length).toBe(10));
});

/** Where in a devfile a fragment of the fixtures stands, by the beginning of its file's name. */
const wraps: readonly [string, (text: string) => string][] = [
  ["components/env", (text) => under("components: [{name: a, container: {env: [", text, "]}}]")],
  [
    "components/endpoint",
    (text) => under("components: [{name: a, container: {endpoints: [", text, "]}}]"),
  ],
  ["components/container", (text) => under("components: [{name: a, container: ", text, "}]")],
  ["components/volume", (text) => under("components: [{name: a, volume: ", text, "}]")],
  ["components/image", (text) => under("components: [{name: a, image: ", text, "}]")],
  ["components/openshift", (text) => under("components: [{name: a, kubernetes: ", text, "}]")],
  ["commands/exec", (text) => under("commands: [{id: a, exec: ", text, "}]")],
  ["commands/apply", (text) => under("commands: [{id: a, apply: ", text, "}]")],
  ["commands/composite", (text) => under("commands: [{id: a, composite: ", text, "}]")],
  ["projects/starterproject", (text) => under("starterProjects: [", text, "]")],
  ["projects/", (text) => under("projects: [", text, "]")],
  ["all/", (text) => text],
];

/** As JSON, which is YAML in one line: braces may stand in it. */
function under(begin: string, text: string, end: string): string {
  return `${begin}${JSON.stringify(toPlain(load(text, "fragment").tree))}${end}`;
}

describe.skipIf(!atHand)("the specification's own variables", () => {
  const outputs = ["components", "commands", "projects", "all"].flatMap((folder) =>
    folders(`${variables}/${folder}`)
      .filter((file) => file.endsWith("-output.yaml"))
      .map((file) => `${folder}/${file}`),
  );
  entries.variables = outputs.length;
  const values = atHand ? fixture(`${variables}/variables/variables-referenced.yaml`) : "";

  test.each(outputs)("%s is what replacing gives", (output) => {
    const wrap = wraps.find(([begin]) => output.startsWith(begin))?.[1];
    if (wrap === undefined) throw new Error(`no place for ${output}`);
    const whole = (file: string) => {
      const own = output.startsWith("all/")
        ? ""
        : `variables: ${JSON.stringify(toPlain(load(values, "v").tree))}\n`;
      return load(own + wrap(fixture(`${variables}/${file}`)), "devfile.yaml");
    };
    const before = whole(output.replace("-output", ""));
    const replaced = replaceVariables(before.tree, [2, 3, 0]);
    expect(plain(replaced)).toEqual(plain(whole(output).tree));
    const missing = codes(before.source.diagnostics());
    expect(missing.every((code) => code === "unknown-variable")).toBe(true);
    expect(missing.length > 0).toBe(output.startsWith("all/devfile-bad"));
    passed.variables += 1;
  });

  test("are all tried", () => expect(outputs.length).toBe(17));

  test("that are missing are each reported at their place", () => {
    const { source, tree } = load(fixture(`${variables}/all/devfile-bad.yaml`), "devfile.yaml");
    replaceVariables(tree, [2, 3, 0]);
    const lines = source.text.split("\n");
    for (const { line, column, length, message } of source.diagnostics()) {
      const range = lines[line - 1]?.slice(column - 1, column - 1 + length);
      expect(range?.replaceAll(/[{} ]/g, "")).toBe(/"(.*?)"/.exec(message)?.[1]);
    }
    expect(source.diagnostics().length).toBe(38);
  });
});
