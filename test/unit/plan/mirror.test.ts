import { describe, expect, test } from "vitest";
import { plan, type PlanChoices } from "../../../server/plan/plan.ts";
import { secretVariable } from "../../../server/plan/mirror/secrets.ts";
import { formatDiagnostic } from "../../../server/protocol/errors.ts";
import { formatPlace, known, unknown, type Place } from "../../../server/protocol/fact.ts";
import { WorkspacePlan } from "../../../server/protocol/plan.ts";
import { unsaidService, type SourceService } from "../../../server/protocol/service.ts";
import type { SourceModel } from "../../../server/protocol/source-model.ts";
import { readDevfile } from "../../../server/sources/devfile/read.ts";

const devfile = `
schemaVersion: 2.2.0
metadata: { name: shop }
components:
  - name: web
    container:
      image: shop/web:dev
      env: [{ name: API, value: "http://localhost:81" }, { name: NODE_ENV, value: development }]
  - name: api
    container: { image: shop/api:dev, mountSources: false }
  - name: data
    volume: {}
`;

function development(): SourceModel {
  const read = readDevfile(devfile, "devfile.yaml");
  if (!read.ok) throw new Error(read.diagnostics.map(formatDiagnostic).join("\n"));
  return read.model;
}

/** Places of production count lines from 1, one for each call. */
let line = 0;
function at(): Place {
  line += 1;
  return { file: "prod.yaml", line, column: 1 };
}

function service(name: string, more: Partial<SourceService> = {}): SourceService {
  const where = at();
  return {
    ...unsaidService(where),
    name: known(name, where),
    image: known(`shop/${name}:1.4`, where),
    ...more,
  };
}

function production(services: SourceService[], more: Partial<SourceModel> = {}): SourceModel {
  return {
    ...{ format: "compose", name: known("shop", at()), services, volumes: [], tasks: [] },
    ...{ projects: [], routes: [], policies: [], leftOut: [], ...more },
  };
}

function mirror(model: SourceModel, develop: string[] | null = null): WorkspacePlan {
  const choices: PlanChoices = { checkout: null, mirror: { source: "prod.yaml", develop } };
  const planned = plan(development(), model, choices);
  // What is stored is what was planned.
  expect(WorkspacePlan.parse(JSON.parse(JSON.stringify(planned)))).toEqual(planned);
  return planned;
}

const serviceOf = (planned: WorkspacePlan, name: string) => {
  const found = planned.services.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};
const leftOut = (planned: WorkspacePlan): string[] =>
  planned.leftOut.map(({ what, why, where }) => `${formatPlace(where)} ${what}: ${why}`);

describe("the service under development", () => {
  test("is the one of the dev service's name: its names and environment are the dev service's", () => {
    const where = at();
    const planned = mirror(
      production([
        service("web", {
          env: { API: known({ kind: "literal", value: "http://api:81" }, where) },
          names: [known({ name: "www.shop.svc", ports: [] }, where)],
        }),
        service("api"),
      ]),
    );
    expect(planned.mirror?.develops).toEqual(["web"]);
    const dev = serviceOf(planned, "web");
    expect(dev.image).toBe("shop/web:dev");
    expect(dev.env).toMatchObject({ API: "http://api:81", NODE_ENV: "development" });
    expect(dev.mirror?.names.map(({ name }) => name)).toEqual(["web", "www.shop.svc"]);
    expect(planned.devService).toBe("web");
  });

  test("else the only one that runs its image, else the only one that is built from the root", () => {
    const image = known("shop/web:2", at());
    expect(mirror(production([service("front", { image })])).mirror?.develops).toEqual(["front"]);
    const build = known({ context: ".", dockerfile: "Dockerfile", args: {}, target: null }, at());
    expect(mirror(production([service("x", { build }), service("y")])).mirror?.develops).toEqual([
      "x",
    ]);
    expect(mirror(production([service("x", { build }), service("y", { build })])).mirror).toEqual({
      ...{ source: "prod.yaml", develops: [], secrets: [] },
    });
  });

  test("is what was asked for, also several; a name that is not there is refused", () => {
    const model = production([service("web"), service("api"), service("db")]);
    const planned = mirror(model, ["api", "web"]);
    expect(planned.mirror?.develops).toEqual(["api", "web"]);
    // The devfile's own api stays: production's does not run.
    expect(planned.services.map(({ name }) => name)).toEqual(["web", "api", "db"]);
    expect(serviceOf(planned, "api").image).toBe("shop/api:dev");
    expect(serviceOf(planned, "web").mirror?.names.map(({ name }) => name)).toEqual(["web"]);
    expect(() => mirror(model, ["apo"])).toThrow(/no service apo to develop; did you mean "api"/);
  });
});

describe("the others", () => {
  test("run as production has them, in a network of their own, in the place of the devfile's", () => {
    const where = at();
    const planned = mirror(
      production(
        [
          service("api", {
            command: known(["/api"], where),
            memoryLimitBytes: known(1024, where),
            readOnlyRoot: known(true, where),
            user: known("1000", where),
            capabilitiesDropped: known(["ALL"], where),
            mounts: [known({ volume: "data", path: "/d", readOnly: true }, where)],
            tmpfs: [known({ path: "/tmp", sizeBytes: null }, where)],
          }),
        ],
        {
          volumes: [
            {
              name: known("data", where),
              sizeBytes: known(null, where),
              ephemeral: known(true, where),
            },
          ],
        },
      ),
    );
    const api = serviceOf(planned, "api");
    expect(api).toMatchObject({
      image: "shop/api:1.4",
      command: ["/api"],
      memoryLimitBytes: 1024,
      readOnlyRoot: true,
      user: "1000",
      dedicatedPod: true,
      sourcePath: null,
      mounts: [{ volume: "mirror-data", path: "/d", readOnly: true }],
      mirror: { capabilitiesDropped: ["ALL"], tmpfs: [{ path: "/tmp" }] },
    });
    expect(planned.volumes.map(({ name }) => name)).toEqual(["data", "mirror-data"]);
    expect(planned.services.filter(({ name }) => name === "api")).toHaveLength(1);
    expect(leftOut(planned)).toContainEqual(
      expect.stringContaining("component api of the devfile: Production has a service"),
    );
    const because = planned.because.find(({ part }) => part === "service api");
    expect(because?.where.map(formatPlace)).toContainEqual(formatPlace(where));
  });

  test("wait for what is there, for their init containers, and for the release", () => {
    const where = at();
    const after = (name: string) =>
      known({ service: name, condition: "healthy" as const, required: true }, where);
    const planned = mirror(
      production([
        service("api", { dependsOn: [after("db"), after("gone")] }),
        service("db"),
        service("prepare", { role: known("init", where), partOf: known("api", where) }),
        service("migrate", { role: known("release", where) }),
      ]),
      [],
    );
    expect(serviceOf(planned, "api").mirror?.dependsOn).toEqual([
      { service: "db", condition: "healthy", required: true },
      { service: "prepare", condition: "completed", required: true },
      { service: "migrate", condition: "completed", required: true },
    ]);
    expect(serviceOf(planned, "prepare").mirror).toMatchObject({ role: "init", partOf: "api" });
  });

  test("do not start where they ask for the machine; each is named with its line", () => {
    const where = at();
    const planned = mirror(
      production([
        service("agent", {
          hostAccess: [known({ what: "docker-socket", detail: "/var/run/docker.sock" }, where)],
        }),
        service("nightly", { role: known("cron", where) }),
        service("off", { replicas: known(0, where) }),
        service("vague", { image: unknown("It names none.", where) }),
        service("many", {
          replicas: known(3, where),
          capabilitiesAdded: known(["NET_ADMIN", "CHOWN"], where),
        }),
      ]),
    );
    expect(planned.services.map(({ name }) => name)).toEqual(["web", "api", "many"]);
    const place = formatPlace(where);
    expect(leftOut(planned)).toEqual(
      expect.arrayContaining([
        `${place} service agent: It asks for docker-socket (/var/run/docker.sock), which no workspace gives.`,
        `${place} service nightly: It runs by a schedule; nothing starts it here.`,
        `${place} service off: Production asks for none of it.`,
        `${place} service vague: It names none.`,
        `${place} replicas of service many: 3 are asked for, one runs.`,
        `${place} capabilities of service many: No container of a workspace may have NET_ADMIN.`,
      ]),
    );
    expect(serviceOf(planned, "many").mirror?.capabilitiesAdded).toEqual(["CHOWN"]);
  });
});

describe("secrets", () => {
  test("are named once with who gets them, and are no values", () => {
    const where = at();
    const password = { kind: "secretRef" as const, secret: "db-login", key: "password" };
    const planned = mirror(
      production([
        service("db", { env: { PASSWORD: known(password, where) } }),
        service("worker", {
          env: {
            URL: known(
              {
                kind: "composed",
                parts: [
                  { text: "pg://x:" },
                  { secret: "db-login", key: "password" },
                  { text: "@db" },
                ],
              },
              where,
            ),
            MAIL: known({ kind: "fromUser", name: "MAIL" }, where),
            ODD: known({ kind: "unknown", why: "The node's name." }, where),
          },
          files: [known({ path: "/etc/pw", mode: 0o400, content: password }, where)],
        }),
      ]),
      [],
    );
    expect(planned.mirror?.secrets).toMatchObject([
      { secret: "db-login", key: "password", variable: "DB_LOGIN_PASSWORD" },
    ]);
    expect(planned.mirror?.secrets[0]?.services).toEqual(["db", "worker"]);
    const { mirror: worker, env } = serviceOf(planned, "worker");
    expect(env).toEqual({});
    expect(worker?.composedEnv).toEqual({
      URL: [{ text: "pg://x:" }, { secret: "db-login", key: "password" }, { text: "@db" }],
      MAIL: [{ variable: "MAIL" }],
    });
    expect(worker?.files).toEqual([
      {
        ...{ path: "/etc/pw", mode: 0o400 },
        content: { kind: "text", parts: [{ secret: "db-login", key: "password" }] },
      },
    ]);
    expect(leftOut(planned)).toContainEqual(
      expect.stringContaining("ODD of service worker: The node"),
    );
  });

  test.each([
    ["database", "password", "DATABASE_PASSWORD"],
    ["my.app-tls", "tls.key", "MY_APP_TLS_TLS_KEY"],
    ["1st", "x", "_1ST_X"],
  ])("%s/%s is filled by %s", (secret, key, variable) => {
    expect(secretVariable(secret, key)).toBe(variable);
  });
});
