import { expect, test } from "vitest";
import { compare } from "../../../server/drift/compare.ts";
import { excerptsOf } from "../../../server/drift/excerpts.ts";
import { hideSecrets } from "../../../server/drift/hide-secrets.ts";
import { Redactor } from "../../../server/drift/redact.ts";
import { reportOf } from "../../../server/drift/report.ts";
import { model, workload } from "./comparing.ts";

const hide = (text: string, file: string): string =>
  hideSecrets(text, file, new Redactor()).join("\n");

test.each([
  [
    "a secret's data",
    "all.yaml",
    `kind: Deployment\nmetadata: {name: web}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  a: Y2FuYXJ5\nstringData:\n  b: |\n    canary\n    canary\n  c: plain`,
  ],
  ["variables by name and value", "d.yaml", `env:\n  - name: DB_PASSWORD\n    value: "canary"\n`],
  [
    "keys of a map",
    "c.yml",
    `environment:\n  API_TOKEN: canary\n  token: >-\n    canary\n    more`,
  ],
  ["lists of variables", "c.yml", `environment:\n  - API_TOKEN=canary and more\n`],
  [
    "a file of variables",
    ".env",
    `# mine\nexport API_TOKEN="canary"\nURL=postgres://a:canary@db/x`,
  ],
  [
    "options",
    "c.yml",
    `command: redis-server --requirepass canary\nargs:\n  - --requirepass\n  - canary`,
  ],
  ["options in a list", "c.yml", `command: ["redis-server", "--requirepass", "canary"]`],
  ["JSON", "app.json", `{"env": {"SECRET_KEY": {"value": "x"}, "API_KEY": "canary"}}`],
  ["what is no YAML", "k.yaml", `kind: Secret\nstringData: {k: canary\n`],
])("%s is hidden in its file, and lines keep their numbers", (_name, file, text) => {
  const shown = hide(text, file);
  expect(shown).not.toMatch(/canary|Y2FuYXJ5/);
  expect(shown.split("\n")).toHaveLength(text.split("\n").length);
});

test("what is hidden once is not hidden again", () => {
  expect(hide("environment:\n  API_TOKEN: canary\n", "c.yml")).toBe(
    "environment:\n  API_TOKEN: (not shown)\n",
  );
});

test("what is no secret stays as it is", () => {
  const text = `env:\n  - name: LEVEL\n    value: debug # why\n  - name: DB_PASSWORD\n    valueFrom: { secretKeyRef: { name: s, key: k } }\nvolumes: [{ secret: { secretName: tls } }]\nimage: a/b:1\ncommand: [serve, --port, "80"]`;
  expect(hide(text, "d.yaml")).toBe(text);
});

test("a value that is a secret by the other side is hidden in the file, on each of its lines", () => {
  const key = "-----first-line\\nsecond-line-of-it\\n";
  const a = model("a.yaml", workload("web", { container: `env: [{name: CERT, value: "${key}"}]` }));
  const b = model(
    "b.yaml",
    workload("web", {
      container: "env: [{name: CERT, valueFrom: {secretKeyRef: {name: s, key: k}}}]",
    }),
  );
  const shown = hideSecrets(
    "x: |\n  -----first-line\n  second-line-of-it\n",
    "x.yaml",
    new Redactor(a, b),
  );
  expect(shown.join("\n")).not.toContain("second-line-of-it");
});

test("excerpts have the lines of every finding, cut in length and in number", () => {
  const [one, other] = [
    workload("web", { container: "resources: {limits: {memory: 64Mi}}" }),
    workload("web", { container: "resources: {limits: {memory: 128Mi}}" }),
  ];
  const [a, b] = [model("a.yaml", one), model("b.yaml", other)];
  const report = reportOf(compare(a, b), { a: "a", b: "b", lock: [], now: new Date(0) });
  const long = `${one}${"#".repeat(1000)}\n${"# more\n".repeat(500)}`;
  const excerpts = excerptsOf(
    report,
    new Map([
      ["a.yaml", long],
      ["b.yaml", other],
    ]),
    [a, b],
  );
  expect(excerpts.map(({ file, from, total }) => [file, from, total])).toEqual([
    ["a.yaml", 1, long.split("\n").length],
    ["b.yaml", 1, other.split("\n").length],
  ]);
  const [finding] = report.findings;
  const where = finding?.a.where;
  if (where === undefined || where === null || !("file" in where)) throw new Error("no place");
  expect(excerpts[0]?.lines[where.line - 1]).toContain("64Mi");
  expect(excerpts[0]?.lines.length).toBeLessThan(100);
  expect(Math.max(...(excerpts[0]?.lines ?? []).map((line) => line.length))).toBeLessThan(410);
});

test("a file that was not read, such as an engine's word, has no excerpt", () => {
  const [a, b] = [model("a.yaml", workload("web")), model("b.yaml", workload("api"))];
  const report = reportOf(compare(a, b), { a: "a", b: "b", lock: [], now: new Date(0) });
  expect(excerptsOf(report, new Map(), [a, b])).toEqual([]);
});
