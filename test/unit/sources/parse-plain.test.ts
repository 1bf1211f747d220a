import * as fc from "fast-check";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { OverLimit, parseInFull } from "../../../server/sources/yaml/parse-in-full.ts";
import { parsePlain } from "../../../server/sources/yaml/parse-plain.ts";
import { SourceText } from "../../../server/sources/yaml/source-text.ts";
import type { TreeNode } from "../../../server/sources/yaml/tree.ts";

/** What readers see of a tree: values, spellings and places; of a collection, where it begins. */
function seen(node: TreeNode): unknown {
  const { start, end } = node.written;
  switch (node.kind) {
    case "scalar": {
      const place = node.source.text[start] === "|" ? [start] : [start, end];
      return { value: node.value, raw: node.raw, place };
    }
    case "list":
      return { start, items: node.items.map(seen) };
    case "map":
      return {
        start,
        entries: node.entries.map(({ name, key, value }) => [name, seen(key), seen(value)]),
      };
  }
}

function inFull(text: string): unknown {
  const source = new SourceText(text, "a.yaml");
  try {
    const tree = parseInFull(source, []);
    return source.diagnostics().length > 0 ? source.diagnostics() : tree && seen(tree);
  } catch (error) {
    if (error instanceof OverLimit) return error.finding;
    throw error;
  }
}

/** Whether the quick parser took the text; then it must have read what the full one reads. */
function agrees(text: string): boolean {
  const plain = parsePlain(new SourceText(text, "a.yaml"));
  if (plain !== null) expect(seen(plain)).toEqual(inFull(text));
  return plain !== null;
}

const page = readFileSync(resolve(import.meta.dirname, "../../../docs/devfile.md"), "utf8");
const examples = Array.from(page.matchAll(/```yaml\n(.*?)```/gs), ([, text = ""]) => text);

const written = `schemaVersion: 2.2.2   # why not
metadata:
  name: govapp
  tags: ["a", 'b''c', c d, {e: f}, []]
  on: true
  count: 12
  version: 1.2.3
components:
- name: tools
  container:
      image: registry.example.org:5000/node:20
      command: [sh, -c, "echo \\"x\\"\\n"]
      env:
        -   name: A
            value: "#no comment"
        - name: B
          value: x#y
  # between
  attributes: {}
-
  name: data
  volume: {size: 1Gi}
- - nested
  - - twice
commands:
  - id: run
    exec:
      commandLine: |
        first

          second
      workingDir: /x
      label: |-
        one
`;

describe("the quick parser", () => {
  test("takes what people write, and reads it as the full parser does", () => {
    expect(agrees(written)).toBe(true);
    expect(examples.map(agrees)).toEqual(examples.map(() => true));
  });

  test.each([
    "a:\nb: c",
    "a:\n  data:\n",
    "a:\n  data:   ",
    "a:   # why\n\n # and\nb:",
    "a:\n  - b:\n    c: d\n  - e:\n",
    "a:\n  b:\n    c:\n  d: e\nf:",
    "a: ~\nb: null\nc: [~, null]",
    "cpus: 0.5\nversion: 3.8\nbig: 12345.678901\nip: 1.2.3.4\nzero: 00.10",
  ])("takes %j, with what has no value in it", (text) => {
    expect(agrees(text)).toBe(true);
  });

  test.each([
    ["an anchor", "a: &x b\nc: *x"],
    ["a tag", "a: !!str 1"],
    ["a key that stands twice", "a: b\na: c"],
    ["a value over two lines", "a: b\n  c"],
    ["a bracket over two lines", "a: [b,\n  c]"],
    ["a folded text", "a: >\n  b\n"],
    ["a tab", "a:\tb"],
    ["a carriage return", "a: b\r\nc: d\r\n"],
    ["two documents", "a: b\n---\nc: d"],
    ["a document's begin", "---\na: b"],
    ["nothing for a dash", "a:\n-\n- b"],
    ["a wrong indentation", "a:\n    b: c\n  d: e"],
    ["a key in a value", "a: b: c"],
    ["a number that is spelled otherwise", "a: 0x10"],
    ["a merge key", "a: {<<: b}"],
    ["no end of quotes", 'a: "b'],
    ["a bare text", "just text"],
  ])("leaves %s to the full one", (_, text) => {
    expect(parsePlain(new SourceText(text, "a.yaml"))).toBeNull();
  });

  test("reads any value that it takes as the full one does", () => {
    let taken = 0;
    const value = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: "small", withCrossShrink: true },
        fc.constantFrom(
          "a",
          "1.2",
          "",
          "true",
          "null",
          "~",
          "x: y",
          "#a",
          "a #b",
          "- a",
          "12",
          "-f",
          null,
        ),
        fc.string({ maxLength: 6 }),
        fc.integer(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.boolean(),
        fc.constant("line\nline\n"),
        fc.array(tie("node"), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom("a", "b-c", "d.e", "8", "x y"), tie("node"), { maxKeys: 3 }),
      ),
    })).node;
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom("a", "b", "c", "true", "1"), value, { minKeys: 1 }),
        fc.constantFrom(null, 1, 3, 5),
        fc.boolean(),
        (tree, flowFrom, indentSeq) => {
          const text = stringify(tree, {
            indentSeq,
            lineWidth: 0,
            ...(indentSeq ? { nullStr: "" } : {}),
            ...(flowFrom === null ? {} : { indent: flowFrom + 1 }),
            collectionStyle: flowFrom === 3 ? "flow" : "any",
          });
          if (agrees(text)) taken += 1;
        },
      ),
      { numRuns: 400 },
    );
    expect(taken).toBeGreaterThan(50);
  });

  test("reads a text with pieces of it changed as the full one does, where it takes it", () => {
    let taken = 0;
    const piece = fc.constantFrom(
      ..."\n| |- |: |:|#| #|[|]|{|}|,|'|\"|\\|--|&a|*a|!|%|@|`|>|?|? |~|1|0|.|e|true|  |   ".split(
        "|",
      ),
      "|",
      "\n\n",
      "\n  ",
      "\n# x\n",
    );
    const change = fc.tuple(fc.nat(written.length), fc.nat(6), piece);
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        let text = written;
        for (const [at, cut, put] of changes) text = text.slice(0, at) + put + text.slice(at + cut);
        if (agrees(text)) taken += 1;
      }),
      { numRuns: 500 },
    );
    expect(taken).toBeGreaterThan(30);
  });

  test("reads short texts of signs as the full one does, where it takes them", () => {
    const sign = fc.constantFrom(
      "a",
      "b",
      ":",
      " ",
      "\n",
      "-",
      "[",
      "]",
      "{",
      "}",
      ",",
      "#",
      '"',
      "'",
      "|",
      "1",
      ".",
      "\\",
    );
    fc.assert(
      fc.property(fc.array(sign, { maxLength: 24 }), (signs) => {
        agrees(signs.join(""));
      }),
      { numRuns: 5000 },
    );
  });
});
