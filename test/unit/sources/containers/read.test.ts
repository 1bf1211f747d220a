import { expect, test } from "vitest";
import { compare } from "../../../../server/drift/compare.ts";
import { formatPlace } from "../../../../server/protocol/fact.ts";
import { SourceModel } from "../../../../server/protocol/source-model.ts";
import { readCompose } from "../../../../server/sources/compose/read.ts";
import { readContainers } from "../../../../server/sources/containers/read.ts";
import { selectContainers } from "../../../../server/sources/containers/select.ts";
import { image, imageId, inspected, listed, type SaidContainer } from "./engine.ts";

/** What runs where an engine says this of its containers. */
function modelOf(said: readonly SaidContainer[], project: string | null = null): SourceModel {
  const selected = selectContainers(said.map(listed), project);
  if (!selected.ok) throw new Error(JSON.stringify(selected));
  const containers = said.map(inspected).filter(({ Id: id }) => selected.ids.includes(id));
  const images = new Map([[imageId, image]]);
  const networks = [{ Name: "shop_default" }, { Name: "shop_inner", Internal: true }];
  const read = readContainers({ selected, containers, images, networks }, "production");
  if (!read.ok) throw new Error(read.where);
  return SourceModel.parse(read.model);
}

const web: SaidContainer = { name: "shop-web-1", project: "shop", service: "web" };

function serviceOf(said: Partial<SaidContainer>): SourceModel["services"][number] {
  const [service] = modelOf([{ ...web, ...said }]).services;
  if (service === undefined) throw new Error("no service was read");
  return service;
}

/** The classes and ids of what differs from a compose file. */
function against(compose: string, said: readonly SaidContainer[]): string[] {
  const read = readCompose(["compose.yaml"], {
    read: (path) => (path === "compose.yaml" ? compose : null),
  });
  if (!read.ok) throw new Error(JSON.stringify(read.diagnostics));
  return compare(read.model, modelOf(said)).findings.map((one) => `${one.class} ${one.id}`);
}

test("every setting is at the container's place in what the engine says", () => {
  const service = serviceOf({ host: { Memory: 64 * 1024 * 1024, ReadonlyRootfs: true } });
  expect(service.memoryLimitBytes).toMatchObject({ known: true, value: 67_108_864 });
  expect(formatPlace(service.memoryLimitBytes.where)).toBe(
    "production:shop-web-1#HostConfig.Memory",
  );
  expect(service.readOnlyRoot).toMatchObject({ value: true });
});

test("an image has the digest of what runs", () => {
  expect(serviceOf({}).image).toMatchObject({ value: `acme/web:1@sha256:${"d".repeat(64)}` });
  // One that was started by its id has the name that the engine knows for it.
  expect(serviceOf({ config: { Image: imageId } }).image).toMatchObject({
    value: `acme/web:1@sha256:${"d".repeat(64)}`,
  });
});

test("what the image says itself is unsaid", () => {
  const unsaid = serviceOf({});
  for (const key of ["command", "args", "user", "workingDir"] as const) {
    expect(unsaid[key], key).toMatchObject({ known: true, value: null });
  }
  expect(unsaid.endpoints).toEqual([]);
  expect(unsaid.env).toEqual({});
  expect(serviceOf({ config: { Cmd: ["worker.js"] } })).toMatchObject({
    command: { value: null },
    args: { value: ["worker.js"] },
  });
  expect(serviceOf({ config: { Entrypoint: ["sh"], Cmd: null } })).toMatchObject({
    command: { value: ["sh"] },
    args: { value: [] },
  });
});

test("no variable's value is in a model, wherever it stands", () => {
  const canaries = ["canary-one", "canary-two", "canary-three", "canary-four"];
  const model = modelOf([
    {
      ...web,
      config: {
        Env: [
          ...image.Config.Env,
          "API_TOKEN=canary-one",
          "DATABASE_URL=postgres://app:canary-two@db/x",
          "canary-three",
          "=canary-four",
        ],
        Cmd: ["sh", "-c", "exec serve --auth canary-one"],
        Healthcheck: { Test: ["CMD-SHELL", "psql -W canary-two"], Interval: 1e9 },
      },
      labels: { "traefik.auth": "canary-four" },
    },
  ]);
  const text = JSON.stringify(model);
  for (const canary of canaries) expect(text).not.toContain(canary);
  const [service] = model.services;
  expect(Object.keys(service?.env ?? {})).toEqual(["API_TOKEN", "DATABASE_URL"]);
  expect(service?.args).toMatchObject({ known: false });
  expect(service?.readiness).toMatchObject({ known: false });
});

test("an answer that is none is refused by its place, without its words", () => {
  const selected = { ok: true, project: null, ids: [], loose: [] } as const;
  const wrong = (container: unknown) =>
    readContainers({ selected, containers: [container], images: new Map(), networks: [] }, "x");
  const broken = { ...inspected(web), Config: { Env: ["A=canary", 7] } };
  expect(wrong(broken)).toEqual({ ok: false, where: "a container: Config.Env.1" });
  const named = { ...inspected(web), HostConfig: { Tmpfs: { "/canary": 7 } } };
  expect(JSON.stringify(wrong(named))).not.toContain("canary");
  for (const nothing of [null, 7, "x", [], {}]) expect(wrong(nothing)).toMatchObject({ ok: false });
  for (const list of [null, {}, [{ Id: "../images" }], "x"]) {
    expect(selectContainers(list, null)).toMatchObject({ ok: false, reason: "not-understood" });
  }
});

test("copies are one service; what they do not agree on is not known", () => {
  const copies = [1, 2, 3].map((number): SaidContainer => ({
    ...web,
    name: `shop-web-${number}`,
    number,
    host: number === 3 ? { Memory: 1 } : {},
  }));
  const model = modelOf(copies);
  expect(model.services).toHaveLength(1);
  expect(model.services[0]?.replicas).toMatchObject({ value: 3 });
  expect(model.services[0]?.memoryLimitBytes).toMatchObject({ known: false });
  expect(model.services[0]?.cpuLimitCores).toMatchObject({ known: true });
});

test("Oneloop's own containers, one-off runs and what does not run are left out", () => {
  const model = modelOf([
    web,
    { ...web, name: "shop-web-run", labels: { "com.docker.compose.oneoff": "True" } },
    { name: "oneloop-x_sandbox", labels: { "oneloop.installation": "x" } },
    { name: "shop-gone-1", project: "shop", service: "gone", state: "exited", exitCode: 137 },
    { name: "shop-migrate-1", project: "shop", service: "migrate", state: "exited" },
    { name: "watchtower" },
  ]);
  const roles = model.services.map(({ name, role }) => [
    name.known && name.value,
    role.known && role.value,
  ]);
  // A job that ended well did what it is for.
  expect(roles).toEqual([
    ["migrate", "job"],
    ["web", "service"],
  ]);
  expect(model.leftOut.map(({ what, why }) => `${what}: ${why}`)).toEqual([
    "container watchtower: It belongs to no Compose project, and shop is compared.",
    "container shop-gone-1: It ended with status 137.",
  ]);
});

test("of several projects one has to be named", () => {
  const said = [web, { name: "blog-web-1", project: "blog", service: "web" }];
  const select = (project: string | null) => selectContainers(said.map(listed), project);
  expect(select(null)).toEqual({
    ...{ ok: false, reason: "several-projects", projects: ["blog", "shop"] },
  });
  expect(select("blog")).toMatchObject({ ok: true, project: "blog" });
  expect(select("bloq")).toMatchObject({ ok: false, reason: "no-such-project" });
  expect(modelOf(said, "blog").services).toHaveLength(1);
  expect(selectContainers([], null)).toMatchObject({ reason: "nothing-runs" });
});

test("containers without a project are each a service", () => {
  const model = modelOf([{ name: "db" }, { name: "old", state: "exited" }]);
  expect(model.services.map(({ name }) => name.known && name.value)).toEqual(["db"]);
});

test("mounts are volumes, files that stood beside the compose file, memory, and the machine's", () => {
  const { mounts, files, hostAccess, tmpfs } = serviceOf({
    labels: { "com.docker.compose.project.working_dir": "/srv/shop" },
    host: { Tmpfs: { "/tmp": "" }, Privileged: true, SecurityOpt: ["label=disable"] },
    mounts: [
      { Type: "volume", Name: "shop_data", Destination: "/data", RW: false },
      { Type: "volume", Name: "b".repeat(64), Destination: "/anon", RW: true },
      { Type: "bind", Source: "/srv/shop/nginx.conf", Destination: "/etc/nginx.conf" },
      { Type: "bind", Source: "/srv/shopping", Destination: "/else" },
      { Type: "bind", Source: "/var/run/docker.sock", Destination: "/var/run/docker.sock" },
    ],
  });
  const values = (facts: readonly { known: boolean; value?: unknown }[]) =>
    facts.map((fact) => fact.value);
  expect(values(mounts)).toEqual([
    { volume: "shop_data", path: "/data", readOnly: true },
    { volume: "web-anon", path: "/anon" },
  ]);
  expect(values(files)).toMatchObject([{ content: { kind: "repository", path: "nginx.conf" } }]);
  expect(values(hostAccess)).toEqual([
    { what: "privileged", detail: "privileged" },
    { what: "host-path", detail: "/srv/shopping" },
    { what: "docker-socket", detail: "/var/run/docker.sock" },
  ]);
  expect(values(tmpfs)).toEqual([{ path: "/tmp", sizeBytes: null }]);
});

const running: SaidContainer[] = [
  {
    ...web,
    config: {
      Env: [...image.Config.Env, "DB_HOST=db", "TOKEN=canary"],
      Healthcheck: { Test: ["CMD", "true"], Interval: 5e9 },
      ExposedPorts: { "3000/tcp": {} },
    },
    host: {
      Memory: 300 * 1024 * 1024,
      NanoCpus: 5e8,
      PortBindings: { "3000/tcp": [{ HostIp: "" }] },
      NetworkMode: "shop_default",
    },
    labels: { "com.docker.compose.depends_on": "db:service_healthy:true" },
  },
  {
    ...{ name: "shop-db-1", project: "shop", service: "db" },
    mounts: [{ Type: "volume", Name: "shop_data", Destination: "/data", RW: true }],
  },
];
const file = `services:
  web:
    image: acme/web:1
    command: server.js
    user: app
    environment: { DB_HOST: db, TOKEN: x, LANG: C.UTF-8 }
    mem_limit: 300m
    cpus: 0.5
    ports: ["3000:3000"]
    healthcheck: { test: [CMD, "true"], interval: 5s }
    depends_on: { db: { condition: service_healthy } }
  db:
    image: acme/web:1
    volumes: [data:/data]
volumes: { data: {} }
`;

test("what a compose file made does not differ from it, though it says what its image says", () => {
  expect(against(file, running)).toEqual(["unknown unknown:web:env-value"]);
});

test.each([
  ["all of what the image runs", "command: server.js", "entrypoint: node\n    command: server.js"],
  ["nothing", "    command: server.js\n", ""],
  ["no user", "    user: app\n", ""],
])("a file that says %s does not differ in that", (_name, from, to) => {
  expect(against(file.replace(from, to), running)).toEqual(["unknown unknown:web:env-value"]);
});

test.each([
  ["mem_limit: 300m", "mem_limit: 600m", "breaking memory-limit:web"],
  ["cpus: 0.5", "cpus: 1", "behavioural cpu-limit:web"],
  ["TOKEN: x", "OTHER: x", "breaking env-key:web:OTHER"],
  ["TOKEN: x, ", "", "breaking env-key:web:TOKEN"],
  ["command: server.js", "command: other.js", "breaking command:web"],
  ["user: app", "user: root", "breaking user:web"],
  ["volumes: [data:/data]", "read_only: true", "breaking persistence:db:/data"],
  ["acme/web:1\n    volumes", "acme/web:2\n    volumes", "info image:db"],
  ["condition: service_healthy", "condition: service_started", "behavioural start-order:web"],
  ["interval: 5s", "interval: 9s", "behavioural probe:web"],
])("a file with another %s differs in that", (from, to, expected) => {
  expect(file).toContain(from);
  expect(against(file.replace(from, to), running)).toContain(expected);
});

test("an older Compose writes no order down, which is then not known", () => {
  const [first, ...others] = running.map(({ labels: _labels, ...rest }) => rest);
  const older = [{ ...first, labels: {} }, ...others] as SaidContainer[];
  const inspect = older.map(inspected);
  for (const each of inspect)
    delete (each.Config.Labels as Record<string, unknown>)["com.docker.compose.depends_on"];
  const selected = selectContainers(older.map(listed), null);
  if (!selected.ok) throw new Error("nothing was selected");
  const images = new Map([[imageId, image]]);
  const read = readContainers({ selected, containers: inspect, images, networks: [] }, "p");
  expect(read.ok && read.model.services[1]?.dependsOn).toMatchObject([{ known: false }]);
});

test("networks part services, and an internal one has no way out", () => {
  const model = modelOf([
    { ...web, networks: { shop_default: ["web"] } },
    { name: "shop-db-1", project: "shop", service: "db", networks: { shop_inner: ["db"] } },
  ]);
  const policies = model.policies.map((each) => each.known && each.value);
  expect(policies).toMatchObject([
    { services: ["db"], direction: "ingress", allows: [{ peers: ["db"] }] },
    { services: ["db"], direction: "egress", allows: [{ peers: ["db"] }] },
    { services: ["web"], direction: "ingress", allows: [{ peers: ["web"] }] },
  ]);
});
