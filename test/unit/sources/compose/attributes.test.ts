import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { formatDiagnostic } from "../../../../server/protocol/errors.ts";
import { readFiles, withoutPlaces } from "./reading.ts";

/** The specification's own schema (compose-spec/compose-spec, Apache-2.0), where it is at hand. */
const path = resolve(
  import.meta.dirname,
  "../../../../../shared/fixtures/compose-spec/schema/compose-spec.json",
);

interface Schema {
  properties?: Record<string, Schema>;
  patternProperties?: Record<string, Schema>;
  items?: Schema;
  oneOf?: Schema[];
}

const schema = existsSync(path)
  ? (JSON.parse(readFileSync(path, "utf8")) as Schema & { definitions: Record<string, Schema> })
  : null;

/** The attributes of the map that stands at some place of the schema. */
function attributes(...steps: string[]): string[] {
  let at: Schema | undefined = schema ?? {};
  for (const step of steps) {
    if (step === "items") at = at?.items;
    else if (step === "*") at = ofAnyName(at);
    else if (step === "map") at = at?.oneOf?.find((each) => each.patternProperties !== undefined);
    else if (step === "object") at = at?.oneOf?.find((each) => each.properties !== undefined);
    else if (step === "list") at = at?.oneOf?.find((each) => each.items !== undefined);
    else at = at?.properties?.[step] ?? schema?.definitions[step];
  }
  return Object.keys(at?.properties ?? {});
}

function ofAnyName(at: Schema | undefined): Schema | undefined {
  return Object.entries(at?.patternProperties ?? {}).find(([key]) => key !== "^x-")?.[1];
}

interface Place {
  readonly of: string;
  readonly names: readonly string[];
  /** A project with this attribute in the map that is meant; without one, the least that may be. */
  readonly project: (attribute: object) => object;
  /** A value of each attribute that is no text of any kind. */
  readonly samples: Readonly<Record<string, unknown>>;
}

const rest = {
  db: { image: "db", volumes: ["mounted:/m"], secrets: ["s"], configs: ["c"], networks: ["net"] },
};

const inService = (attribute: object): object => ({
  services: { web: { image: "app", ...attribute }, ...rest },
  volumes: { data: {}, mounted: {} },
  secrets: { s: { file: "s" } },
  configs: { c: { file: "c" } },
  networks: { net: {} },
});

/** Below a key of the service, as the only item of its list or as it is. */
const below =
  (key: string, first: object = {}, wrap: (inner: object) => unknown = (inner) => inner) =>
  (attribute: object): object =>
    inService({ [key]: wrap({ ...first, ...attribute }) });
const item = (inner: object): unknown[] => [inner];

const some = ["x"];
const pair = { x: "y" };
const mount = ["service", "volumes", "items", "object"] as const;
const volume = { type: "volume", source: "data", target: "/d" };

const places: readonly Place[] = [
  {
    of: "the file",
    names: attributes(),
    project: (attribute) => ({ services: { web: { image: "app" } }, ...attribute }),
    samples: {
      include: ["other.yaml"],
      services: { web: { image: "other" } },
      models: { x: { model: "y" } },
      networks: { x: { driver: "x" } },
      volumes: { x: {} },
      secrets: { x: { file: "x", labels: pair } },
      configs: { x: { file: "x", labels: pair } },
    },
  },
  {
    of: "service",
    names: attributes("service"),
    project: inService,
    samples: {
      annotations: pair,
      blkio_config: { weight: 300 },
      build: ".",
      cap_add: some,
      cap_drop: some,
      configs: ["c"],
      credential_spec: { file: "x" },
      cpus: 1,
      depends_on: ["db"],
      deploy: { replicas: 2 },
      develop: { watch: [{ path: ".", action: "rebuild" }] },
      device_cgroup_rules: ["c 1:3 mr"],
      devices: ["/dev/x:/dev/x"],
      env_file: "none.env",
      environment: pair,
      expose: [80],
      extends: "db",
      external_links: some,
      extra_hosts: ["a:1.2.3.4"],
      group_add: some,
      healthcheck: { test: ["CMD", "x"] },
      ipc: "host",
      labels: pair,
      links: ["db:x"],
      logging: { driver: "x" },
      mem_limit: "1g",
      mem_reservation: "1g",
      models: some,
      network_mode: "host",
      networks: ["net"],
      pid: "host",
      ports: [80],
      post_start: [{ command: "x" }],
      pre_stop: [{ command: "x" }],
      privileged: true,
      profiles: some,
      provider: { type: "x" },
      read_only: true,
      restart: "always",
      scale: 2,
      secrets: ["s"],
      security_opt: some,
      stop_grace_period: "5s",
      storage_opt: { size: "1g" },
      sysctls: pair,
      tmpfs: "/run",
      ulimits: { nproc: 5 },
      use_api_socket: true,
      volumes: ["data:/d"],
      volumes_from: ["db"],
    },
  },
  {
    of: "build",
    names: attributes("service", "build", "object"),
    project: below("build"),
    samples: { args: pair, context: "./sub" },
  },
  {
    of: "healthcheck",
    names: attributes("healthcheck"),
    project: below("healthcheck", { test: "x" }),
    samples: {
      disable: true,
      interval: "5s",
      retries: 5,
      start_interval: "5s",
      start_period: "5s",
      timeout: "5s",
    },
  },
  {
    of: "deploy",
    names: attributes("deployment"),
    project: below("deploy"),
    samples: {
      mode: "global",
      replicas: 2,
      resources: { limits: { memory: "1g" } },
      restart_policy: { condition: "any" },
    },
  },
  ...["limits", "reservations"].map((kind) => ({
    of: kind,
    names: attributes("deployment", "resources", kind),
    project: below("deploy", {}, (inner) => ({ resources: { [kind]: inner } })),
    samples: { cpus: 1, memory: "1g" },
  })),
  {
    of: "restart_policy",
    names: attributes("deployment", "restart_policy"),
    project: below("deploy", {}, (inner) => ({ restart_policy: inner })),
    samples: { condition: "none" },
  },
  {
    of: "dependency",
    names: attributes("service", "depends_on", "map", "*"),
    project: below("depends_on", {}, (inner) => ({
      db: { condition: "service_started", ...inner },
    })),
    samples: { condition: "service_healthy", required: false },
  },
  {
    of: "port",
    names: attributes("service", "ports", "items", "object"),
    project: below("ports", { target: 80 }, item),
    samples: {
      host_ip: "127.0.0.1",
      protocol: "udp",
      app_protocol: "https",
      published: "8080",
      target: 81,
    },
  },
  {
    of: "mount",
    names: attributes(...mount),
    project: below("volumes", volume, item),
    samples: {
      type: "bind",
      source: "mounted",
      target: "/other",
      read_only: true,
      bind: { propagation: "shared" },
      volume: { subpath: "x" },
      tmpfs: { mode: 5 },
      image: { subpath: "x" },
    },
  },
  ...["bind", "volume", "image"].map((kind) => ({
    of: `${kind} of a mount`,
    names: attributes(...mount, kind),
    project: below("volumes", {}, (inner) => [{ ...volume, [kind]: inner }]),
    samples: {},
  })),
  {
    of: "tmpfs of a mount",
    names: attributes(...mount, "tmpfs"),
    project: below("volumes", {}, (inner) => [{ type: "tmpfs", target: "/d", tmpfs: inner }]),
    samples: { size: 5 },
  },
  ...["configs", "secrets"].map((kind) => ({
    of: `file of ${kind}`,
    names: attributes("service_config_or_secret", "items", "object"),
    project: (attribute: object) => ({
      ...below(kind, { source: "it" }, item)(attribute),
      [kind]: { it: { file: "it" }, c: { file: "c" }, s: { file: "s" } },
    }),
    samples: { mode: "0400", source: kind[0] },
  })),
  {
    of: "network of a service",
    names: attributes("service", "networks", "map", "*", "object"),
    project: below("networks", {}, (inner) => ({ net: { priority: null, ...inner } })),
    samples: { aliases: some },
  },
  ...["networks", "volumes", "secrets", "configs"].map((kind) => ({
    of: `top ${kind}`,
    names: attributes(kind.slice(0, -1)),
    project: (attribute: object) => ({
      services: { web: { image: "app", [kind]: [kind === "volumes" ? "it:/m" : "it"] } },
      [kind]: { it: { ...(/^[sc]/.test(kind) ? { file: "f" } : {}), ...attribute } },
    }),
    samples: {
      driver_opts: pair,
      external: true,
      internal: true,
      ...(kind === "configs" ? { file: "other" } : {}),
    },
  })),
  {
    of: "device",
    names: attributes("service", "devices", "items", "object"),
    project: below("devices", { source: "/dev/a" }, item),
    samples: { source: "/dev/b" },
  },
  {
    of: "env file",
    names: attributes("env_file", "list", "items", "object"),
    project: below("env_file", { path: "a.env" }, item),
    samples: { path: "b.env", format: "raw", required: false },
  },
];

/** Attributes that change nothing in these projects, and what they are about. */
const elsewhere: Readonly<Record<string, string>> = {
  "port published": "two services that publish one port",
  "device target": "a device is refused, whatever its name inside",
  "device permissions": "a device is refused, whatever may be done with it",
  "env file required": "an env file that is not there",
  "top secrets file": "a secret is a name",
  "top secrets environment": "a secret is a name",
  "top secrets external": "a secret is a name",
  "top secrets driver": "a secret is a name",
  "top configs environment": "a file comes first",
  "top configs external": "a file comes first",
};

const others = {
  "other.yaml": "services: {other: {image: other}}",
  "a.env": 'A="a"',
  "b.env": 'B="b"',
};

function outcome(project: object) {
  const text = stringify(project);
  const result = readFiles({ ...others, "compose.yaml": text });
  if (!result.ok)
    throw new Error(`${text}\n${result.diagnostics.map(formatDiagnostic).join("\n")}`);
  const { leftOut, ...model } = result.model;
  return { listed: leftOut.length, model: JSON.stringify(withoutPlaces(model)) };
}

describe.skipIf(schema === null)("the specification's attributes", () => {
  test.each(places)("of $of are read, or listed", ({ of, names, project, samples }) => {
    expect(names.length).toBeGreaterThan(of === "image of a mount" ? 0 : 1);
    const without = outcome(project({}));
    const dropped = names.filter((name) => {
      const { listed, model } = outcome(project({ [name]: samples[name] ?? "sample" }));
      const isNoticed = listed > without.listed || model !== without.model;
      return !isNoticed && elsewhere[`${of} ${name}`] === undefined;
    });
    expect(dropped).toEqual([]);
  });

  test("are those of the whole schema", () => {
    expect(attributes("service").length).toBeGreaterThan(90);
  });
});
