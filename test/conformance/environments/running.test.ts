import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compare } from "../../../server/drift/compare.ts";
import { renderSarif } from "../../../server/drift/sarif.ts";
import { reportOf } from "../../../server/drift/report.ts";
import { renderText } from "../../../server/drift/text.ts";
import type { RunningEnvironment } from "../../../server/protocol/environment.ts";
import { formatPlace } from "../../../server/protocol/fact.ts";
import { defaultImage } from "../../../server/sources/fallback/default-image.ts";
import { readCompose } from "../../../server/sources/compose/read.ts";
import { Database } from "../../../server/db/database.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { createLog } from "../../../server/util/log.ts";
import { lookAt } from "../../../server/workspaces/environment-containers.ts";
import {
  hasDockerCompose,
  startComposeProject,
  type ComposeProject,
} from "../../helpers/compose-project.ts";
import {
  startTestInstallation,
  TestControlPlane,
  type Credentials,
} from "../../helpers/control-plane.ts";
import { startReadOnlyProxy, type ReadOnlyProxy } from "../../helpers/read-only-proxy.ts";
import { startSilentEngine } from "../../helpers/silent-engine.ts";
import { stopwatch } from "../../helpers/stopwatch.ts";

// Containers that Debian's docker-compose started, as somebody's production; looked at through a way
// that hands on nothing but GET.
const socketPath = (process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock").slice(7);
const canary = "canary-of-production";

const file = `version: "2.4"
services:
  web:
    image: ${defaultImage}
    command: ["sh", "-c", "exec sleep 1000000"]
    user: "1000"
    read_only: true
    mem_limit: 64m
    cpus: 0.5
    cap_drop: [ALL]
    tmpfs: ["/tmp"]
    ports: ["127.0.0.1::8080"]
    scale: 2
    environment:
      API_TOKEN: ${canary}-1
      DATABASE_URL: postgres://app:${canary}-2@db:5432/app
      LANG: C.UTF-8
    depends_on: { db: { condition: service_started } }
  db:
    image: ${defaultImage}
    command: ["sleep", "1000000"]
    volumes: ["data:/var/lib/data", "/cache", "./conf:/etc/conf:ro"]
    healthcheck: { test: [CMD, "true"], interval: 5s }
    networks: { default: { aliases: [database] } }
  leaky:
    image: ${defaultImage}
    command: ["sh", "-c", "exec sleep 1000000 # ${canary}-3"]
    environment: { PLAIN: "${canary}-3" }
    networks: [inner]
networks: { inner: { internal: true } }
volumes: { data: {} }
`;

const lifetime = new Lifetime();
let shop: ComposeProject;
let proxy: ReadOnlyProxy;

beforeAll(async () => {
  if (!hasDockerCompose) return;
  shop = lifetime.own(await startComposeProject({ "compose.yaml": file, "conf/a": "a\n" }));
  proxy = lifetime.own(await startReadOnlyProxy(socketPath));
});
afterAll(() => lifetime[Symbol.asyncDispose]());

const at = (dockerHost: string) => ({ dockerHost, certificates: null });
const look = (project: string | null = shop.name): Promise<RunningEnvironment> =>
  lookAt(at(proxy.url), { name: "production", project });

function read(text: string) {
  const result = readCompose(["compose.yaml"], {
    read: (path) => (path === "compose.yaml" ? text : null),
  });
  if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
  return result.model;
}

describe.runIf(hasDockerCompose)("what runs", () => {
  it("does not differ from the file that it was made of", async () => {
    const { model, title } = await look();
    const { findings, comparable, equal } = compare(read(file), model);
    expect(findings.filter((one) => one.class !== "unknown").map(({ id }) => id)).toEqual([]);
    expect(equal).toBe(comparable);
    expect(comparable).toBeGreaterThan(40);
    const madeFrom = `${shop.folder}/compose.yaml`;
    expect(title).toBe(`production (project ${shop.name}, from ${madeFrom})`);
    const values = model.services.map(({ name, replicas }) => [name, replicas]);
    expect(values).toMatchObject([
      [{ value: "db" }, { value: 1 }],
      [{ value: "leaky" }, { value: 1 }],
      [{ value: "web" }, { value: 2 }],
    ]);
  });

  it("differs from another file where that says something else, each at both places", async () => {
    const other = file
      .replace("mem_limit: 64m", "mem_limit: 128m")
      .replace("read_only: true", "read_only: false")
      .replace("      LANG: C.UTF-8\n", "      MORE: x\n")
      .replace("aliases: [database]", "aliases: [postgres]");
    const { model, title } = await look();
    const report = reportOf(compare(read(other), model), {
      ...{ a: "compose.yaml", b: title, lock: [], now: new Date() },
    });
    const breaking = report.findings.filter((one) => one.class === "breaking");
    expect(breaking.map(({ id }) => id)).toEqual([
      "env-key:web:MORE",
      "memory-limit:web",
      "read-only-root:web",
    ]);
    const where = breaking[1]?.b.where;
    const place = `production:${shop.name}_web_1#HostConfig.Memory`;
    expect(where && formatPlace(where)).toBe(place);
    expect(renderText(report).replaceAll(/\s+/g, " ")).toContain(place);
    expect(renderSarif(report)).toContain(JSON.stringify(place));
  });

  it("was asked for by GET alone, and nothing else was sent", async () => {
    await look();
    expect(proxy.asked.length).toBeGreaterThan(5);
    expect(proxy.asked.filter((each) => !each.startsWith("GET "))).toEqual([]);
    expect(proxy.bodyBytes()).toBe(0);
  });

  it("is chosen among several projects", async () => {
    const blog = await startComposeProject({
      "compose.yaml": `version: "2.4"\nservices: { api: { image: "${defaultImage}", command: [sleep, "1000000"] } }\n`,
    });
    await using _blog = blog;
    await expect(look(null)).rejects.toMatchObject({ code: "choice-needed" });
    await expect(look(null)).rejects.toThrow(shop.name);
    expect((await look(blog.name)).model.services).toHaveLength(1);
    await expect(look("no-such")).rejects.toMatchObject({ code: "not-found" });
  });

  it("says nothing while the engine is silent, and that is told within five seconds", async () => {
    await using engine = await startSilentEngine(socketPath);
    engine.silence();
    const tookMs = stopwatch();
    const asked = lookAt(at(engine.url), { name: "production", project: null });
    await expect(asked).rejects.toMatchObject({ code: "engine-unreachable" });
    expect(tookMs()).toBeLessThan(5000);
  });
});

describe.runIf(hasDockerCompose)("an installation that compares with it", () => {
  const plane = new Lifetime();
  let oneloop: TestControlPlane;
  let database: Database;
  let owner: Credentials;
  let member: Credentials;

  beforeAll(async () => {
    const installation = plane.own(await startTestInstallation());
    database = plane.own(
      await Database.connect(installation.databaseUrl, createLog({ level: "silent" })),
    );
    oneloop = plane.own(await TestControlPlane.start(installation, "environ"));
    owner = await oneloop.signIn(oneloop.signInLink, "token", "owner");
    const { link } = await oneloop.ok<{ link: string }>("people.add", { name: "grace" }, owner);
    member = await oneloop.signIn(link, "token", "grace");
  });
  afterAll(() => plane[Symbol.asyncDispose]());

  it("has it from its owner alone, and gives everybody the names", async () => {
    const environment = { name: "production", dockerHost: proxy.url, project: shop.name };
    const refused = await oneloop.call("environments.add", environment, member);
    expect(refused.failure?.code).toBe("forbidden");
    const added = await oneloop.ok("environments.add", environment, owner);
    expect(added).toMatchObject({ name: "production", project: shop.name });
    const twice = await oneloop.call("environments.add", environment, owner);
    expect(twice.failure?.code).toBe("conflict");
    expect((await oneloop.call("environments.list", {}, member)).failure?.code).toBe("forbidden");
    expect(await oneloop.ok("environments.names", {}, member)).toEqual(["production"]);
    expect(await oneloop.ok("environments.list", {}, owner)).toMatchObject([environment]);
  });

  it("takes none that does not answer, has another project, or no name", async () => {
    const add = async (more: object) => {
      const input = { name: "staging", dockerHost: proxy.url, ...more };
      return (await oneloop.call("environments.add", input, owner)).failure?.code;
    };
    expect(await add({ dockerHost: "unix:///nowhere.sock" })).toBe("engine-unreachable");
    expect(await add({ dockerHost: "ssh://host" })).toBe("bad-input");
    expect(await add({ project: "no-such" })).toBe("not-found");
    expect(await add({ name: "a b" })).toBe("bad-input");
  });

  it("gives what runs there to a member, and a variable's value to nobody", async () => {
    const input = { name: "production" };
    const { body } = await oneloop.call("environments.model", input, member);
    expect(body).toContain("API_TOKEN");
    expect(body).not.toContain(canary);
    expect(oneloop.log()).not.toContain(canary);
    const tables = await database.db.execute<{ name: string }>(
      "select table_name as name from information_schema.tables where table_schema = 'public'",
    );
    expect(tables.rows.length).toBeGreaterThan(10);
    for (const { name } of tables.rows) {
      const { rows } = await database.db.execute(`select t::text as row from "${name}" t`);
      expect(JSON.stringify(rows), name).not.toContain(canary);
    }
  });

  it("forgets it at its owner's word", async () => {
    const input = { name: "production" };
    expect((await oneloop.call("environments.remove", input, member)).failure?.code).toBe(
      "forbidden",
    );
    await oneloop.ok("environments.remove", input, owner);
    const gone = await oneloop.call("environments.model", input, member);
    expect(gone.failure?.code).toBe("not-found");
  });
});
