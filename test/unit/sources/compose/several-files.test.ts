import { expect, test } from "vitest";
import { readFilesWith } from "../../../../server/sources/files.ts";
import { defaultComposeFiles } from "../../../../server/sources/compose/paths.ts";
import { readCompose } from "../../../../server/sources/compose/read.ts";
import {
  allSaid,
  envOf,
  leftOut,
  lineOf,
  read,
  readFiles,
  said,
  service,
  wrong,
} from "./reading.ts";

const both = { paths: ["compose.yaml", "over.yaml"] };

test("a later file adds, replaces and keeps; each fact keeps the line that won", () => {
  const files = {
    "compose.yaml": `services:
  web:
    image: app:1
    command: [a, b]
    environment: [A=1, B=1]
    cap_add: [SYS_TIME]
    ports: ["8080:80", "9000:90"]
    volumes: ["./a:/a", "data:/data"]
    depends_on: [db]
    healthcheck: {test: ["CMD", "x"], interval: 5s}
    mem_limit: 1g
    secrets: [s]
  db: {image: postgres}
volumes: {data: , other: }
secrets: {s: {file: s}, t: {file: t}}
`,
    "over.yaml": `services:
  web:
    image: app:2
    command: c
    environment: {B: "2", C: "2"}
    cap_add: [SYS_TIME, NET_ADMIN]
    ports: ["8080:80", "9001:90"]
    volumes: ["other:/data", {type: bind, source: ./b, target: /a}]
    depends_on: {db: {condition: service_healthy}}
    healthcheck: {test: y}
    secrets: [{source: t, target: s}]
  extra: {image: extra}
`,
  };
  const model = read(files, both);
  const web = service(model, "web");
  expect(said(web.image)).toBe("app:2");
  expect(lineOf(web.image.where)).toBe("over.yaml:3");
  expect(lineOf(web.memoryLimitBytes.where)).toBe("compose.yaml:11");
  expect(said(web.args)).toEqual(["c"]);
  expect(envOf(web)).toEqual({ A: "1", B: "2", C: "2" });
  expect(lineOf(web.env["A"]?.where ?? web.name.where)).toBe("compose.yaml:5");
  expect(lineOf(web.env["B"]?.where ?? web.name.where)).toBe("over.yaml:5");
  expect(said(web.capabilitiesAdded)).toEqual(["SYS_TIME", "NET_ADMIN"]);
  expect(web.endpoints.map(said)).toMatchObject([{ targetPort: 80 }, { targetPort: 90 }]);
  expect(web.mounts.map(said)).toEqual([{ volume: "other", path: "/data" }]);
  expect(web.files.map(said)).toMatchObject([
    { path: "/a", content: { path: "b" } },
    { path: "/run/secrets/s", content: { secret: "t" } },
  ]);
  expect(web.dependsOn.map(said)).toMatchObject([{ service: "db", condition: "healthy" }]);
  expect(said(web.readiness)).toMatchObject({
    periodS: 5,
    check: { command: ["/bin/sh", "-c", "y"] },
  });
  expect(model.services.length).toBe(3);
});

test("!reset takes away, !override replaces the whole", () => {
  const files = {
    "compose.yaml": `services:
  web:
    image: app
    ports: ["80:80"]
    environment: {A: "1", B: "1"}
    command: x
    mem_limit: 1g
    cap_add: [A]
    labels: {a: b}
`,
    "over.yaml": `services:
  web:
    ports: !override ["443:443"]
    environment: {A: !reset null}
    command: !reset
    mem_limit: !reset 5
    cap_add: !reset []
    labels: !reset {}
`,
  };
  const model = read(files, both);
  const web = service(model, "web");
  expect(web.endpoints.map(said)).toMatchObject([{ targetPort: 443 }]);
  expect(envOf(web)).toEqual({ B: "1" });
  expect(allSaid([web.args, web.memoryLimitBytes, web.capabilitiesAdded])).toEqual([
    null,
    null,
    [],
  ]);
  expect(leftOut(model)).toEqual([]);
});

test("a later file may say again what an earlier took away", () => {
  const files = {
    "compose.yaml": "services: {a: {image: x, command: one}}",
    "over.yaml": "services: {a: {command: !reset }}",
    "third.yaml": "services: {a: {command: three}}",
  };
  const paths = ["compose.yaml", "over.yaml", "third.yaml"];
  expect(said(service(read(files, { paths }), "a").args)).toEqual(["three"]);
  expect(said(service(read(files, both), "a").args)).toBe(null);
});

test("paths of a later file start from the first one's folder", () => {
  const files = {
    "deploy/compose.yaml": "services: {a: {build: ./app}}",
    "deploy/prod/over.yaml": "services: {a: {env_file: a.env}}",
    "deploy/a.env": "A=$FROM",
    "deploy/.env": "FROM=dotenv",
  };
  const paths = ["deploy/compose.yaml", "deploy/prod/over.yaml"];
  const a = service(read(files, { paths }), "a");
  expect(said(a.build)).toMatchObject({ context: "deploy/app" });
  expect(envOf(a)).toEqual({ A: "dotenv" });
});

test("extends: of the same file and of another, whose paths are its own", () => {
  const files = {
    "compose.yaml": `services:
  web:
    extends: {file: base/compose.yaml, service: app}
    environment: {B: web}
  worker:
    extends: web
    command: work
`,
    "base/compose.yaml": `services:
  app:
    extends: plain
    build: ./app
    env_file: base.env
    environment: [A=app, B=app]
  plain:
    image: plain
    user: nobody
    volumes: ["./data:/data"]
`,
    "base/base.env": "FILE=base\n",
  };
  const model = read(files);
  const worker = service(model, "worker");
  expect(envOf(worker)).toEqual({ FILE: "base", A: "app", B: "web" });
  expect(allSaid([worker.image, worker.user, worker.args])).toEqual(["plain", "nobody", ["work"]]);
  expect(said(worker.build)).toMatchObject({
    context: "base/app",
    dockerfile: "base/app/Dockerfile",
  });
  expect(worker.files.map(said)).toMatchObject([{ content: { path: "base/data" } }]);
  expect(lineOf(worker.user.where)).toBe("base/compose.yaml:9");
  expect(lineOf(worker.env["B"]?.where ?? worker.name.where)).toBe("compose.yaml:4");
});

test("what an override takes away, it takes from an extended service too", () => {
  const files = {
    "compose.yaml":
      "services: {a: {image: x, user: u, command: c}, b: {extends: a, user: !reset }}",
    "over.yaml": "services: {b: {extends: c}, c: {image: y, command: !reset }}",
  };
  const b = service(read(files, both), "b");
  expect(allSaid([b.image, b.user, b.args])).toEqual(["y", null, null]);
});

test("include: its own folder, its own variables below the project's, its own include", () => {
  const files = {
    "compose.yaml": `include:
  - lib/compose.yaml
  - {path: [other/a.yaml, other/b.yaml], project_directory: ., env_file: [other/x.env]}
services:
  web: {image: "web:\${TAG}", depends_on: [db, cache]}
`,
    ".env": "TAG=project\n",
    "lib/compose.yaml": `include: [deep/compose.yaml]
services:
  db:
    image: db:\${TAG}-\${LIB}
    volumes: ["./data:/data"]
    environment: {A: $$A}
`,
    "lib/.env": "TAG=lib\nLIB=lib\n",
    "lib/deep/compose.yaml": "services: {deep: {image: 'deep:${LIB}', build: .}}",
    "other/a.yaml": "services: {cache: {image: 'redis:${X}', build: ./here, env_file: x.env}}",
    "other/b.yaml": "services: {cache: {user: u}}",
    "other/x.env": "X=7\n",
    "x.env": "FILE=root\n",
  };
  const model = read(files);
  const db = service(model, "db");
  expect(allSaid([db.image, service(model, "web").image])).toEqual([
    "db:project-lib",
    "web:project",
  ]);
  expect(envOf(db)).toEqual({ A: "$A" });
  expect(db.files.map(said)).toMatchObject([{ content: { path: "lib/data" } }]);
  expect(lineOf(db.image.where)).toBe("lib/compose.yaml:4");
  const deep = service(model, "deep");
  expect(allSaid([deep.image, deep.build])).toMatchObject(["deep:lib", { context: "lib/deep" }]);
  const cache = service(model, "cache");
  expect(allSaid([cache.image, cache.build, cache.user])).toMatchObject([
    ...["redis:7", { context: "here" }, "u"],
  ]);
  expect(envOf(cache)).toEqual({ FILE: "root" });
});

test("two included projects may say the same, and not something else, of one name", () => {
  const files = (image: string) => ({
    "compose.yaml": "include: [a.yaml, b.yaml]\nservices: {web: {image: x}}",
    "a.yaml": "services: {db: {image: postgres}}",
    "b.yaml": `services: {db: {image: ${image}}}`,
  });
  expect(wrong(files("postgres"))).toEqual([]);
  expect(wrong(files("mysql"))).toEqual(["b.yaml:1:12 include-conflict"]);
});

test("what is fetched from elsewhere is listed, and names that it may have are no mistakes", () => {
  const model = read(`include: ["oci://example.org/shop:1"]
services:
  web: {image: x, depends_on: [db], volumes: ["data:/data"]}
`);
  expect(leftOut(model)).toEqual([
    'compose.yaml:1 include of "oci://example.org/shop:1"',
    'compose.yaml:3 service "db"',
    'compose.yaml:3 volume "data"',
  ]);
});

test("anchors and merge keys, at the place of what they say", () => {
  const web = service(
    read(`x-base: &base
  image: app
  environment: &env {A: "1", B: "1"}
services:
  web:
    <<: *base
    environment:
      <<: *env
      B: "2"
`),
    "web",
  );
  expect(envOf(web)).toEqual({ A: "1", B: "2" });
  expect([web.image.where, web.env["A"]?.where, web.env["B"]?.where]).toMatchObject([
    { line: 2, column: 10 },
    { line: 3, column: 25 },
    { line: 9, column: 10 },
  ]);
});

test("which files a folder's project has when nobody says it", () => {
  const files = (...names: string[]) => {
    const all: Record<string, string> = Object.fromEntries(names.map((name) => [name, ""]));
    return (path: string) => all[path] ?? null;
  };
  expect(defaultComposeFiles(".", files("README.md"))).toEqual([]);
  expect(defaultComposeFiles(".", files("docker-compose.yml", "compose.yaml"))).toEqual([
    "compose.yaml",
  ]);
  expect(
    defaultComposeFiles("a/b", files("a/b/docker-compose.yml", "a/b/docker-compose.override.yml")),
  ).toEqual(["a/b/docker-compose.yml", "a/b/docker-compose.override.yml"]);
  const env: Record<string, string> = { ".env": "COMPOSE_FILE=base.yaml:prod/over.yaml" };
  expect(defaultComposeFiles(".", (path) => env[path] ?? null)).toEqual([
    "base.yaml",
    "prod/over.yaml",
  ]);
});

test("files that are only to be had later are read as those at hand", async () => {
  const files: Record<string, string> = {
    "compose.yaml": "include: [lib/compose.yaml]\nservices: {web: {image: x, env_file: web.env}}",
    "lib/compose.yaml": "services: {db: {extends: {file: base.yaml, service: db}}}",
    "lib/base.yaml": "services: {db: {image: postgres}}",
    "web.env": "A=1",
  };
  const asked: string[] = [];
  const result = await readFilesWith(
    async (path) => {
      asked.push(path);
      return Promise.resolve(files[path] ?? null);
    },
    (read) => readCompose(["compose.yaml"], { read }),
  );
  expect(result).toEqual(readFiles(files));
  expect(result.ok).toBe(true);
  expect(new Set(asked).size).toBe(asked.length);
});
