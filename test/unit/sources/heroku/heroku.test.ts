import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatDiagnostic } from "../../../../server/protocol/errors.ts";
import { SourceModel } from "../../../../server/protocol/source-model.ts";
import { herokuPaths, readHeroku } from "../../../../server/sources/heroku/read.ts";
import { allSaid, envOf, leftOut, said, service } from "../compose/reading.ts";

interface Repository {
  readonly Procfile?: string;
  readonly "app.json"?: string;
}

function readAll(files: Repository) {
  const texts = new Map(Object.entries(files));
  return readHeroku((path) => texts.get(path) ?? null);
}

function read(procfile: string, app?: object): SourceModel {
  const json = app === undefined ? {} : { "app.json": JSON.stringify(app, null, "\t") };
  const result = readAll({ Procfile: procfile, ...json });
  if (!result.ok) throw new Error(result.diagnostics.map(formatDiagnostic).join("\n"));
  expect(result.warnings).toEqual([]);
  return SourceModel.parse(result.model);
}

function wrong(files: Repository): string[] {
  const result = readAll(files);
  const found = result.ok ? result.warnings : result.diagnostics;
  return found.map(({ file, line, column, code }) => `${file}:${line}:${column} ${code}`);
}

test("a Procfile's processes, each with its line", () => {
  const model = read(`# what runs
web: bundle exec puma -p $PORT

urgent-worker:   rake jobs:work
release: rake db:migrate\r
`);
  expect(model.format).toBe("heroku");
  expect(model.services.map(({ name }) => said(name))).toEqual(["web", "urgent-worker", "release"]);
  const worker = service(model, "urgent-worker");
  expect(worker.command).toEqual({
    known: true,
    value: ["/bin/bash", "-c", "rake jobs:work"],
    where: { file: "Procfile", line: 4, column: 18 },
  });
  expect(worker).toMatchObject({
    endpoints: [],
    role: { value: "service" },
    restart: { value: "always" },
  });
  expect(service(model, "release")).toMatchObject({
    role: { value: "release" },
    restart: { value: "no" },
    command: { value: ["/bin/bash", "-c", "rake db:migrate"] },
  });
  // What only Heroku knows is not known here.
  for (const fact of [worker.image, worker.build, worker.replicas, worker.memoryLimitBytes]) {
    expect(fact.known).toBe(false);
  }
});

test.each([
  ["web: node .", undefined, 5000],
  ["web: serve -p ${PORT:-3000}", undefined, 3000],
  ["web: node .", { env: { PORT: "8080" } }, 8080],
])("%s with %j listens on %i", (procfile, app, port) => {
  const model = read(procfile, app);
  const web = service(model, "web");
  expect(web.endpoints.map(said)).toMatchObject([
    { targetPort: port, exposure: "public", protocol: "http" },
  ]);
  expect(envOf(web)["PORT"]).toBe(String(port));
  expect(model.routes.map(said)).toEqual([
    { host: null, path: "/", service: "web", port, tls: true },
  ]);
});

test("app.json: variables, formation, scripts", () => {
  const model = read("web: node .\nworker: node work.js", {
    name: "small-tool",
    env: {
      SHORT: "x",
      LONG: { description: "d", value: "y" },
      SECRET: { generator: "secret" },
      NEEDED: { description: "a key" },
      ALSO_NEEDED: { required: true },
      MAYBE: { required: false },
    },
    formation: { web: { quantity: 2, size: "Standard-2X" }, worker: { quantity: 0 } },
    scripts: { postdeploy: "rake db:seed", "pr-predestroy": { command: "bye", size: "eco" } },
  });
  expect(said(model.name)).toBe("small-tool");
  const web = service(model, "web");
  expect(envOf(web)).toEqual({
    SHORT: "x",
    LONG: "y",
    SECRET: { kind: "secretRef", secret: "generated", key: "SECRET" },
    NEEDED: { kind: "fromUser", name: "NEEDED" },
    ALSO_NEEDED: { kind: "fromUser", name: "ALSO_NEEDED" },
    MAYBE: { kind: "unknown", why: "It need not be set, and app.json gives no value." },
    PORT: "5000",
  });
  expect(envOf(service(model, "worker"))).not.toHaveProperty("PORT");
  expect(allSaid([web.replicas, web.memoryLimitBytes])).toEqual([2, 1024 ** 3]);
  expect(said(service(model, "worker").replicas)).toBe(0);
  expect(
    model.tasks.map(({ name, commandLine, service: of }) => [name, said(commandLine), said(of)]),
  ).toEqual([
    ["postdeploy", "rake db:seed", "web"],
    ["pr-predestroy", "bye", "web"],
  ]);
  expect(leftOut(model)).toEqual(['app.json:35 size of "pr-predestroy"']);
});

test("add-ons are services; those that anybody can run have an image", () => {
  const model = read("web: node .", {
    addons: [
      "papertrail",
      { plan: "heroku-postgresql:standard-0", options: { version: "15" } },
      { plan: "heroku-redis:mini", as: "CACHE", options: { version: 7.2, persistence: true } },
      { plan: "heroku-redis:mini", as: "QUEUE", options: { version: "8" } },
      "jawsdb:kitefin",
      { plan: "heroku-postgresql" },
    ],
  });
  const addons = model.services.slice(1);
  expect(addons.map(({ name, image, workload }) => allSaid([name, image, workload]))).toEqual([
    [
      "papertrail",
      { why: "The add-on papertrail is a service that only Heroku's market has." },
      "add-on papertrail",
    ],
    ["heroku-postgresql", "postgres:15", "add-on heroku-postgresql:standard-0"],
    ["cache", "redis:7.2", "add-on heroku-redis:mini"],
    ["queue", "valkey/valkey:8", "add-on heroku-redis:mini"],
    ["jawsdb", "mysql", "add-on jawsdb:kitefin"],
    ["heroku-postgresql-2", "postgres", "add-on heroku-postgresql"],
  ]);
  expect(addons[1]?.endpoints.map(said)).toMatchObject([
    { targetPort: 5432, exposure: "internal" },
  ]);
  const by = (addon: string) => ({ kind: "unknown", why: `The add-on ${addon} sets it.` });
  expect(envOf(service(model, "web"))).toEqual({
    DATABASE_URL: by("heroku-postgresql"),
    CACHE_URL: by("heroku-redis"),
    QUEUE_URL: by("heroku-redis"),
    JAWSDB_URL: by("jawsdb"),
    PORT: "5000",
  });
  expect(leftOut(model)).toEqual([
    'app.json:15 option "persistence" of add-on "heroku-redis:mini"',
  ]);
});

test("what only Heroku does is listed", () => {
  const model = read("web: node .", {
    description: "d",
    buildpacks: [{ url: "heroku/nodejs" }],
    stack: "heroku-24",
    environments: { test: { scripts: { test: "npm test" } } },
    novelty: 1,
  });
  expect(leftOut(model)).toEqual([
    "app.json:2 description",
    "app.json:3 buildpacks",
    "app.json:8 stack",
    "app.json:9 environments",
    "app.json:16 novelty",
  ]);
});

test.each<[Repository, string]>([
  [{}, "Procfile:1:1 missing-file"],
  [{ Procfile: "# none\n" }, "Procfile:1:1 empty-file"],
  [{ Procfile: "web: x\nno process\n" }, "Procfile:2:1 bad-process"],
  [{ Procfile: "web:\n" }, "Procfile:1:1 bad-process"],
  [{ Procfile: "we b: x" }, "Procfile:1:1 bad-process"],
  [{ Procfile: "web: x\nweb: y" }, "Procfile:2:1 duplicate-process"],
  [{ Procfile: "<<<<<<< HEAD\nweb: x" }, "Procfile:1:1 bad-process"],
  [{ Procfile: "web: x", "app.json": "{" }, "app.json:1:2 yaml-syntax"],
  [{ Procfile: "web: x", "app.json": "" }, "app.json:1:1 empty-file"],
  [{ Procfile: "web: x", "app.json": '{"env": []}' }, "app.json:1:9 wrong-type"],
  [{ Procfile: "web: x", "app.json": '{"env": {"A": 5}}' }, "app.json:1:15 wrong-type"],
  [{ Procfile: "web: x", "app.json": '{"env": {"A-B": "x"}}' }, "app.json:1:10 bad-env-name"],
  [{ Procfile: "web: x", "app.json": '{"addons": [{}]}' }, "app.json:1:13 missing-key"],
  [{ Procfile: "web: x", "app.json": '{"addons": ["a b"]}' }, "app.json:1:13 bad-plan"],
  [
    { Procfile: "web: x", "app.json": '{"formation": {"web": {"quantity": -1}}}' },
    "app.json:1:36 bad-quantity",
  ],
  [
    { Procfile: "web: x", "app.json": '{"formation": {"job": {"quantity": 1}}}' },
    "app.json:1:16 unknown-process",
  ],
])("%j: %s", (files, place) => {
  expect(wrong(files)).toContain(place);
});

test("no text brings it down; each mistake has a place", () => {
  const piece = fc.constantFrom(
    ...[
      "web: x\n",
      "release: ",
      "a-b:",
      "#",
      "\n",
      ": ",
      "\0",
      "{",
      "}",
      "[",
      "]",
      '"env"',
      ":",
      ",",
    ],
    ...[
      '"addons"',
      '"formation"',
      '"web"',
      '{"plan": "heroku-redis"}',
      '"a:b"',
      "5",
      "null",
      '{"A": {}}',
    ],
  );
  const text = fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(text, text, (procfile, json) => {
      const files: Record<string, string> = { Procfile: procfile, "app.json": json };
      const result = readAll(files);
      if (result.ok) SourceModel.parse(result.model);
      for (const { file, line } of result.ok ? result.warnings : result.diagnostics) {
        expect(line).toBeLessThanOrEqual((files[file] ?? "").split("\n").length);
      }
    }),
    { numRuns: 300 },
  );
});

test("the files by which it is found", () => {
  expect(herokuPaths).toEqual(["Procfile", "app.json"]);
});
