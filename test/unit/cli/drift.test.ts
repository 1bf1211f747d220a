import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compareFiles } from "../../../cli/src/drifting.ts";
import { readModel } from "../../../cli/src/models.ts";

const files = {
  "dev/devfile.yaml": `schemaVersion: 2.2.0
components:
  - name: db
    container: { image: "postgres:16", mountSources: false }
`,
  "compose/compose.yaml": `services:
  db:
    image: postgres:16
    mem_limit: 256m
`,
  "compose/compose.override.yaml": `services:
  db:
    read_only: true
`,
  "k8s/base/db.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: { name: db }
spec:
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec:
      containers:
        - name: db
          image: postgres:17
          resources: { limits: { memory: 256Mi } }
`,
  "k8s/values.yaml": "replicas: 2\n",
  "heroku/Procfile": "web: node server.js\n",
  "broken/compose.yaml": "services:\n  db: [\n",
  "empty/readme.md": "nothing\n",
  "lock.yaml": `acknowledged:
  - { finding: ID, reason: we move in spring, owner: ops@example.org, expires: 2999-01-01 }
`,
};
let folder: string;
const at = (path: string): string => join(folder, path);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-drift-"));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(at(path)), { recursive: true });
    await writeFile(at(path), text);
  }
});
afterAll(() => rm(folder, { recursive: true }));

test.each([
  ["dev", "devfile", ["db"]],
  ["dev/devfile.yaml", "devfile", ["db"]],
  ["compose", "compose", ["db"]],
  ["compose/compose.yaml", "compose", ["db"]],
  ["k8s", "kubernetes", ["db"]],
  ["k8s/base/db.yaml", "kubernetes", ["db"]],
  ["heroku", "heroku", ["web"]],
  ["heroku/Procfile", "heroku", ["web"]],
])("%s is read as %s", async (path, format, services) => {
  const model = await readModel(at(path));
  expect(model.format).toBe(format);
  expect(model.services.map(({ name }) => name.known && name.value)).toEqual(services);
});

test("of a folder of compose files the override is read, too", async () => {
  const [db] = (await readModel(at("compose"))).services;
  expect(db?.readOnlyRoot).toMatchObject({ known: true, value: true });
});

test.each([
  ["nowhere", /There is no/],
  ["empty", /has no devfile, compose file, Procfile or Kubernetes object/],
  ["broken", /cannot be read as it is/],
])("%s is refused with what is wrong", async (path, expected) => {
  await expect(readModel(at(path))).rejects.toThrow(expected);
});

test("what differs is told with both places, and an acknowledged difference does not count", async () => {
  const compared = await compareFiles({ a: at("dev"), b: at("k8s"), lock: null });
  const [breaking] = compared.report.findings.filter((one) => one.class === "breaking");
  expect(compared.report.unacknowledgedBreaking).toBeGreaterThan(0);
  expect(breaking?.what).toMatch(/16|17|postgres|version/i);
  const text = compared.render("text");
  expect(text).toContain("devfile.yaml:4");
  expect(text).toContain("db.yaml:11");
  expect(JSON.parse(compared.render("sarif"))).toMatchObject({ version: "2.1.0" });
  const ids = compared.report.findings.filter((one) => one.class === "breaking");
  const [entry = ""] = files["lock.yaml"].split("\n").slice(1);
  const lines = ids.map(({ id }) => entry.replace("ID", JSON.stringify(id)));
  await writeFile(at("lock.yaml"), `acknowledged:\n${lines.join("\n")}\n`);
  const again = await compareFiles({ a: at("dev"), b: at("k8s"), lock: at("lock.yaml") });
  expect(again.report.unacknowledgedBreaking).toBe(0);
  await expect(compareFiles({ a: at("dev"), b: at("k8s"), lock: at("no.lock") })).rejects.toThrow(
    /no\.lock cannot be read/,
  );
});
