import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import type { DriftFinding } from "../../../server/protocol/drift.ts";
import { compare } from "../../../server/drift/compare.ts";
import { pairServices } from "../../../server/drift/pair.ts";
import { env, model, workload } from "./comparing.ts";

const word = fc.constantFrom(
  "db",
  "web",
  "cache",
  "shop-db",
  "shop-web",
  "api",
  "db:5432",
  "80",
  "http://api/x",
  "debug",
  "a,b",
  "",
);
const said = fc.record({
  name: fc.constantFrom("web", "db", "cache", "api"),
  image: fc.constantFrom("postgres:14", "postgres:15", "acme/web:1", "redis"),
  env: fc.dictionary(fc.constantFrom("DB_HOST", "DB_PORT", "URL", "API_KEY", "LEVEL"), word, {
    maxKeys: 4,
  }),
  memory: fc.constantFrom("300Mi", "1Gi"),
  port: fc.constantFrom(80, 5432),
  command: fc.boolean(),
});
const source = fc
  .tuple(
    fc.constantFrom("", "shop-"),
    fc.uniqueArray(said, { selector: ({ name }) => name, maxLength: 4, minLength: 1 }),
  )
  .map(([prefix, list]) =>
    list.map((each) =>
      workload(prefix + each.name, {
        image: each.image,
        container: `${Object.keys(each.env).length === 0 ? "" : env(each.env)}
resources: {limits: {memory: ${each.memory}}}
${each.command ? `args: ["${each.name}"]` : ""}`,
        ports: [`${each.port}:8080`],
      }),
    ),
  );

function swapped(finding: DriftFinding): DriftFinding {
  const also = finding.also.map((each) => ({ ...each, a: each.b, b: each.a }));
  return { ...finding, a: finding.b, b: finding.a, also };
}

/** Each run reads several files. */
const runs = { numRuns: 25 };

test("a source has no difference to itself", () => {
  fc.assert(
    fc.property(source, (texts) => {
      const { findings, comparable, equal } = compare(
        model("a.yaml", ...texts),
        model("a.yaml", ...texts),
      );
      expect(findings).toEqual([]);
      expect(equal).toBe(comparable);
    }),
    runs,
  );
});

test("exchanging the sides exchanges the sides of each finding, and nothing else", () => {
  fc.assert(
    fc.property(source, source, (one, other) => {
      const [a, b] = [model("a.yaml", ...one), model("b.yaml", ...other)];
      const [there, back] = [compare(a, b), compare(b, a)];
      const keyed = (list: readonly DriftFinding[]) =>
        list.map(({ id, a: left, b: right, also }) => ({ id, left, right, also: also.length }));
      expect(keyed(back.findings)).toEqual(keyed(there.findings.map(swapped)));
      expect([back.comparable, back.equal]).toEqual([there.comparable, there.equal]);
    }),
    runs,
  );
});

test("comments, key order, quoting and labels change nothing", () => {
  const turned = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(turned);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .toReversed()
        .map(([key, each]) => [key, turned(each)]),
    );
  };
  fc.assert(
    fc.property(
      source,
      fc.constantFrom("QUOTE_DOUBLE" as const, "QUOTE_SINGLE" as const),
      (texts, quotes) => {
        const rewritten = texts.flatMap((text) =>
          text.split("---\n").map((document) => {
            const object = parse(document) as { metadata: { labels?: object } };
            object.metadata.labels = { "helm.sh/chart": "x" };
            const written = stringify(turned(object), {
              defaultStringType: quotes,
              defaultKeyType: "PLAIN",
            });
            return written.replaceAll("\n", " # said\n");
          }),
        );
        expect(compare(model("a.yaml", ...texts), model("b.yaml", ...rewritten)).findings).toEqual(
          [],
        );
      },
    ),
    runs,
  );
});

test("services are paired one to one", () => {
  fc.assert(
    fc.property(source, source, (one, other) => {
      const [a, b] = [model("a.yaml", ...one), model("b.yaml", ...other)];
      const pairs = pairServices(a, b);
      expect(pairs.flatMap((each) => each.a ?? [])).toHaveLength(a.services.length);
      expect(pairs.flatMap((each) => each.b ?? [])).toHaveLength(b.services.length);
    }),
    runs,
  );
});
