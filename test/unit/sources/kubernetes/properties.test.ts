import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { SourceModel } from "../../../../server/protocol/source-model.ts";
import { readKubernetes } from "../../../../server/sources/kubernetes/read.ts";
import { deployment, plain, read } from "./reading.ts";

const words = fc.constantFrom(
  ..."apiVersion kind metadata name spec template containers image env value valueFrom secretKeyRef".split(
    " ",
  ),
  ..."v1 apps/v1 Deployment Service Secret ConfigMap List items data stringData selector ports".split(
    " ",
  ),
  ..."--- ... : - [ ] { } , & * << ! | > # ' \" %".split(" "),
  "\n",
  "\n  ",
  "\n    - ",
  " ",
  "0",
  "$(A)",
  "\t",
  "\u2028",
);

function survives(text: string): void {
  const result = readKubernetes([{ path: "k8s.yaml", text }]);
  const lines = text.split("\n");
  for (const { line, column, file } of result.ok ? result.warnings : result.diagnostics) {
    expect(file).toBe("k8s.yaml");
    expect(line).toBeLessThanOrEqual(lines.length);
    expect(column).toBeLessThanOrEqual((lines[line - 1] ?? "").length + 1);
  }
  const model = result.ok ? result.model : result.rest;
  if (model !== undefined) SourceModel.parse(model);
}

describe("no text", () => {
  test("crashes the reader, and each mistake has its place", () => {
    fc.assert(fc.property(fc.array(words, { maxLength: 60 }), (parts) => survives(parts.join(""))));
    fc.assert(fc.property(fc.string({ unit: "binary" }), survives));
  });

  test("of the API's own fields crashes it", () => {
    const value = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 6 },
        fc.constantFrom(null, true, 0, -1, 1.5, 80, "", "a", "$(A)$$", "web", "8080"),
        fc.array(tie("value"), { maxLength: 3 }),
        fc.dictionary(
          fc.constantFrom(
            ..."name image env value valueFrom configMapKeyRef secretKeyRef key ports containerPort".split(
              " ",
            ),
            ..."volumes volumeMounts mountPath configMap items path emptyDir livenessProbe httpGet port".split(
              " ",
            ),
            ..."containers initContainers metadata labels spec template selector matchLabels data".split(
              " ",
            ),
            "__proto__",
            "constructor",
          ),
          tie("value"),
          { maxKeys: 5 },
        ),
      ),
    })).value;
    const kinds =
      "Deployment StatefulSet Job Pod Service Ingress ConfigMap Secret NetworkPolicy".split(" ");
    fc.assert(
      fc.property(fc.constantFrom(...kinds), value, value, (kind, spec, template) => {
        const apiVersion = /Deploy|Stateful/.test(kind)
          ? "apps/v1"
          : kind === "Job"
            ? "batch/v1"
            : kind === "Ingress" || kind === "NetworkPolicy"
              ? "networking.k8s.io/v1"
              : "v1";
        const object = { apiVersion, kind, metadata: { name: "a" }, spec, data: spec };
        survives(stringify(object));
        survives(
          stringify({ ...object, spec: { selector: { a: "b" }, template: { spec: template } } }),
        );
      }),
    );
  });

  test("of many copies of its own is read for ever", () => {
    const bomb = `a: &a [x, x, x, x, x, x, x, x, x]\n${"bcdefghi"
      .split("")
      .map((name, at) => `${name}: &${name} [${Array(9).fill(`*${"abcdefgh"[at]}`).join(",")}]\n`)
      .join("")}`;
    survives(bomb);
    const env = Array.from(
      { length: 60 },
      (_, at) => `  - {name: V${at + 1}, value: "$(V${at})$(V${at})"}`,
    );
    const text = deployment("web", `env:\n  - {name: V0, value: xxxxxxxxxx}\n${env.join("\n")}`);
    const result = readKubernetes([{ path: "k8s.yaml", text }]);
    expect(JSON.stringify(result).length).toBeLessThan(8_000_000);
    survives(Array(20).fill("---\n,,,,,,,,,\n").join(""));
  });
});

const objects = [
  deployment(
    "web",
    'env: [{name: A, value: "1"}, {name: B, value: $(A)}]\nports: [{containerPort: 80}]',
  ),
  "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n",
  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {A: b, C: d}\n",
];

/** Key order, at every level; lists keep theirs. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, each]) => [key, turned(each)]),
  );
}

describe("nothing changes with", () => {
  const said = (...texts: string[]) => {
    const { leftOut, ...model } = read(...texts);
    expect(leftOut).toEqual([]);
    return plain(model);
  };
  const before = said(objects.join("---\n"));

  test("comments, key order, quoting, and labels that no selector uses", async () => {
    const { parse } = await import("yaml");
    const styles = fc.record({
      quotes: fc.constantFrom("PLAIN" as const, "QUOTE_DOUBLE" as const, "QUOTE_SINGLE" as const),
      turn: fc.boolean(),
      comment: fc.boolean(),
      label: fc.boolean(),
    });
    fc.assert(
      fc.property(styles, ({ quotes, turn, comment, label }) => {
        const texts = objects.map((text) => {
          const object = parse(text) as { metadata: { labels?: object } };
          if (label) object.metadata.labels = { tier: "front" };
          const written = stringify(turn ? turned(object) : object, {
            defaultStringType: quotes,
            defaultKeyType: "PLAIN",
          });
          return comment ? written.replaceAll("\n", " # said\n") : written;
        });
        expect(said(texts.join("---\n"))).toEqual(before);
      }),
      { numRuns: 24 },
    );
  });

  test("files instead of documents, or a list, or JSON", async () => {
    const { parse } = await import("yaml");
    expect(said(...objects)).toEqual(before);
    const items = objects.map((text) => parse(text) as unknown);
    expect(said(JSON.stringify({ apiVersion: "v1", kind: "List", items }, null, 2))).toEqual(
      before,
    );
  });
});
