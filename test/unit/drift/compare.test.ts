import { describe, expect, test } from "vitest";
import { between, env, findings, workload } from "./comparing.ts";
import type { Said } from "./comparing.ts";

const policy = (name: string, ingress: string) => `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: ${name}}
spec: {podSelector: {matchLabels: {app: ${name}}}, ingress: ${ingress}}
`;
const volume = (source: string): Said => ({
  container: "volumeMounts: [{name: d, mountPath: /data}]",
  pod: `volumes: [{name: d, ${source}}]`,
});
const kept = volume("persistentVolumeClaim: {claimName: c}");
const lost = volume("emptyDir: {}");

describe("one difference is one finding", () => {
  const cases: [what: string, a: Said, b: Said, expected: string[]][] = [
    ["engine", { image: "mysql:8" }, { image: "postgres:15" }, ["breaking engine:web"]],
    [
      "major version",
      { image: "postgres:14-alpine" },
      { image: "bitnami/postgresql:15.4" },
      ["breaking engine-version:web"],
    ],
    [
      "major version before PostgreSQL 10",
      { image: "postgres:9.5" },
      { image: "postgres:9.6" },
      ["breaking engine-version:web"],
    ],
    ["minor version", { image: "postgres:15.1" }, { image: "postgres:15.4" }, ["info image:web"]],
    [
      "version that one side does not say",
      { image: "redis" },
      { image: "redis:7" },
      ["unknown unknown:web:engine-version"],
    ],
    ["image", { image: "acme/web:1" }, { image: "acme/web:2" }, ["info image:web"]],
    ["command", { container: "args: [a]" }, {}, ["breaking command:web"]],
    ["user", { container: "securityContext: {runAsUser: 1}" }, {}, ["breaking user:web"]],
    [
      "read-only root",
      { container: "securityContext: {readOnlyRootFilesystem: true}" },
      {},
      ["breaking read-only-root:web"],
    ],
    [
      "capabilities",
      { container: "securityContext: {capabilities: {drop: [ALL]}}" },
      {},
      ["breaking capabilities:web"],
    ],
    [
      "privileges",
      { container: "securityContext: {privileged: true}" },
      {},
      ["breaking host-access:web:privileged"],
    ],
    [
      "memory limit",
      { container: "resources: {limits: {memory: 300Mi}}" },
      { container: "resources: {limits: {memory: 200Mi}}" },
      ["breaking memory-limit:web", "info requests:web:memory"],
    ],
    [
      "platform",
      { pod: "nodeSelector: {kubernetes.io/arch: amd64}" },
      { pod: "nodeSelector: {kubernetes.io/arch: arm64}" },
      ["breaking platform:web"],
    ],
    ["persistence", kept, lost, ["breaking persistence:web:/data"]],
    ["persistence that one side has not", kept, {}, ["breaking persistence:web:/data"]],
    [
      "variable that one side has not",
      { container: env({ A: "1", B: "2" }) },
      { container: env({ A: "1" }) },
      ["breaking env-key:web:B"],
    ],
    [
      "variable's value",
      { container: env({ LEVEL: "debug" }) },
      { container: env({ LEVEL: "info" }) },
      ["info env-value:web:LEVEL"],
    ],
    [
      "secret as a text",
      { container: env({ KEY: "canary" }) },
      { container: env({ KEY: "{secretKeyRef: {name: s, key: k}}" }) },
      ["breaking secret-literal:web:KEY"],
    ],
    [
      "CPU limit",
      { container: "resources: {limits: {cpu: 1}, requests: {cpu: 100m}}" },
      { container: "resources: {requests: {cpu: 100m}}" },
      ["behavioural cpu-limit:web"],
    ],
    ["copies", { spec: "replicas: 3" }, {}, ["behavioural replicas:web"]],
    [
      "checks",
      {
        container: "readinessProbe: {tcpSocket: {port: 1}}\nlivenessProbe: {tcpSocket: {port: 1}}",
      },
      {},
      ["behavioural probe:web"],
    ],
    [
      "working directory",
      { container: "workingDir: /a" },
      { container: "workingDir: /b" },
      ["info working-dir:web"],
    ],
    [
      "port",
      { container: "ports: [{containerPort: 1}]" },
      { container: "ports: [{containerPort: 2}]" },
      ["info port:web"],
    ],
  ];

  test.each(cases)("%s", (_, a, b, expected) => {
    expect(between([workload("web", a)], [workload("web", b)])).toEqual(expected);
    expect(between([workload("web", b)], [workload("web", a)])).toEqual(expected);
  });

  test("a service that is missing, with all that calls it", () => {
    const web = workload("web", { container: env({ CACHE_URL: "redis://cache:6379", MODE: "x" }) });
    const cache = workload("cache", { image: "redis:7", ports: ["6379:6379"] });
    const without = workload("web", { container: env({ MODE: "x" }) });
    const found = findings([web, cache], [without]);
    expect(found.map(({ id }) => id)).toEqual(["missing-service:cache"]);
    expect(found[0]?.also.map(({ what }) => what)).toEqual([
      "web: The variable CACHE_URL is set on one side only.",
    ]);
  });

  test("a side container and an init container", () => {
    const pod = "initContainers: [{name: migrate, image: m}]";
    expect(between([workload("web", { pod })], [workload("web")])).toEqual([
      "behavioural side-container:web-migrate",
    ]);
  });

  test("a way from outside, and its TLS", () => {
    const web = workload("web", { ports: ["80:80"] });
    const ingress = (tls: string) =>
      `apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i}\nspec: {${tls}rules: [{host: a.b, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}\n`;
    expect(between([web, ingress("")], [web])).toEqual(["behavioural route:web"]);
    expect(between([web, ingress("")], [web, ingress("tls: [{hosts: [a.b]}], ")])).toEqual([
      "behavioural tls:web:/",
    ]);
  });

  test("an edge that a policy denies, once for all its variables", () => {
    const web = workload("web", { container: env({ DB: "db:5432", DB_URL: "postgres://db/app" }) });
    const db = workload("db", { ports: ["5432:5432"] });
    const allowed = "[{from: [{podSelector: {matchLabels: {app: web}}}]}]";
    expect(between([web, db], [web, db, policy("db", "[]")])).toEqual([
      "breaking denied-edge:web:db",
    ]);
    expect(between([web, db], [web, db, policy("db", allowed)])).toEqual([]);
    const otherPeer = allowed.replace("app: web", "app: other");
    expect(between([web, db], [web, db, policy("db", otherPeer)])).toEqual([
      "breaking denied-edge:web:db",
    ]);
    const otherPort = allowed.replace("[{from", "[{ports: [{port: 1}], from");
    expect(between([web, db], [web, db, policy("db", otherPort)])).toEqual([
      "breaking denied-edge:web:db",
    ]);
  });
});

describe("values mean the same", () => {
  const db = (name: string, ports: string[]) => workload(name, { image: "postgres:15", ports });
  const web = (name: string, entries: Record<string, string>) =>
    workload(name, { image: "acme/web:1", container: env(entries) });

  test("through names, their suffixes, prefixes, and ports of Services", () => {
    const a = [
      web("web", {
        DB: "db",
        ADDR: "db:5432",
        URL: "postgres://u:pw@db/app",
        LIST: "db:5432,db:5432",
        SELF: "web",
      }),
      db("db", ["5432:5432"]),
    ];
    const b = [
      web("shop-web", {
        DB: "shop-db.default.svc.cluster.local",
        ADDR: "shop-db:15432",
        URL: "postgres://u:pw@shop-db.default:15432/app",
        LIST: "shop-db.default.svc:15432,shop-db:15432",
        SELF: "shop-web",
      }),
      db("shop-db", ["15432:5432"]),
    ];
    expect(between(a, b)).toEqual([]);
  });

  test("where all names of a side have one prefix, and images say nothing", () => {
    const both = (prefix: string) =>
      ["api", "worker"].map((name) => workload(prefix + name, { image: "acme/app:1" }));
    expect(between(both(""), both("shop-"))).toEqual([]);
  });

  test("where host and port are two variables", () => {
    const a = [web("web", { DB_HOST: "db", DB_PORT: "5432" }), db("db", ["5432:5432"])];
    const moved = [web("web", { DB_HOST: "db", DB_PORT: "6000" }), db("db", ["6000:5432"])];
    expect(between(a, moved)).toEqual([]);
    const dead = [web("web", { DB_HOST: "db", DB_PORT: "6001" }), db("db", ["6000:5432"])];
    expect(between(a, dead)).toEqual(["breaking dead-address:web:DB_PORT"]);
    const nobody = [web("web", { DB_HOST: "olddb", DB_PORT: "6000" }), db("db", ["6000:5432"])];
    expect(between(a, nobody)).toEqual(["breaking dead-address:web:DB_HOST"]);
  });

  test("AD_PORT, AD_ADDR and the port are one finding", () => {
    const side = (port: string) => [
      workload("ad", {
        container: `${env({ AD_PORT: port })}\nports: [{containerPort: ${port}}]`,
        ports: [`${port}:${port}`],
      }),
      web("frontend", { AD_ADDR: `ad:${port}`, OTHER: "x" }),
    ];
    const found = findings(side("9555"), side("8080"));
    expect(found.map(({ id }) => id)).toEqual(["port:ad"]);
    expect(found[0]?.also.map(({ what }) => what)).toEqual([
      "ad: AD_PORT differs.",
      "frontend: AD_ADDR differs.",
    ]);
  });

  test("a host:port that nobody serves", () => {
    const a = [web("web", { URL: "http://db:5432/" }), db("db", ["5432:5432"])];
    expect(between(a, [web("web", { URL: "http://db:80/" }), db("db", ["5432:5432"])])).toEqual([
      "breaking dead-address:web:URL",
    ]);
    expect(between(a, [web("web", { URL: "http://gone:5432/" }), db("db", ["5432:5432"])])).toEqual(
      ["breaking dead-address:web:URL"],
    );
    // What leads out of the source is another value, and no mistake.
    expect(
      between(a, [web("web", { URL: "http://db.example.org/" }), db("db", ["5432:5432"])]),
    ).toEqual(["info env-value:web:URL"]);
  });

  test("what one side does not know is no difference", () => {
    const a = [web("web", { A: "x", B: "y" })];
    const b = [web("web", { A: "{configMapKeyRef: {name: gone, key: k}}", B: "y" })];
    expect(between(a, b)).toEqual(["unknown unknown:web:env-value A"]);
    const from = workload("web", {
      container: `${env({ A: "x" })}\nenvFrom: [{configMapRef: {name: gone}}]`,
    });
    expect(between(a, [from])).toEqual([
      "unknown unknown:web:env-key B",
      "unknown unknown:web:env-key from elsewhere",
    ]);
  });

  test("in quantities, users, images and references to secrets", () => {
    const a = workload("web", {
      image: "docker.io/library/nginx",
      container: `${env({ K: "{secretKeyRef: {name: s, key: k}}" })}\nresources: {limits: {memory: 1Gi, cpu: 0.5}}\nsecurityContext: {runAsUser: 7}\ncommand: [/bin/sh, -c, x]`,
    });
    const b = workload("web", {
      image: "nginx:latest",
      container: `${env({ K: "{secretKeyRef: {name: other, key: z}}" })}\nresources: {limits: {memory: 1024Mi, cpu: 500m}}\nsecurityContext: {runAsUser: 7, runAsGroup: 7}\ncommand: [sh, -c]\nargs: [x]`,
    });
    expect(between([a], [b])).toEqual([]);
  });

  test("where a name leads out of the cluster, the service is not missing", () => {
    const external =
      "apiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {type: ExternalName, externalName: db.example.org}\n";
    const a = [web("web", { DB: "db:5432" }), db("db", ["5432:5432"])];
    expect(between(a, [web("web", { DB: "db:5432" }), external])).toEqual([
      "unknown unknown:db:missing-service",
    ]);
  });
});

test("each finding says both places, why, and how to accept it", () => {
  const limit = (memory: string) =>
    workload("web", {
      container: `resources: {limits: {memory: ${memory}}, requests: {memory: 1Mi}}`,
    });
  expect(findings([limit("512Mi")], [limit("256Mi")])).toEqual([
    {
      id: "memory-limit:web",
      code: "memory-limit",
      class: "breaking",
      service: "web",
      subject: null,
      what: "The memory limit differs.",
      a: { value: "512Mi", where: { file: "dev.yaml", line: 12, column: 40 } },
      b: { value: "256Mi", where: { file: "prod.yaml", line: 12, column: 40 } },
      why: "The program is killed on one side where it lives on the other.",
      acknowledge:
        '- finding: "memory-limit:web"\n  reason: why it is accepted\n  owner: who answers for it\n  expires: YYYY-MM-DD',
      also: [],
      acknowledged: null,
    },
  ]);
});
