import { expect, test } from "vitest";
import { allSaid, envOf, leftOut, one, read, said, service } from "./reading.ts";

test("a service of which only the image is said", () => {
  const web = service(read("name: shop\nservices:\n  web:\n    image: nginx:1.27\n"), "web");
  expect(web).toMatchObject({
    name: { value: "web", where: { file: "compose.yaml", line: 3, column: 3 } },
    image: { value: "nginx:1.27", where: { line: 4, column: 12 } },
    build: { value: null },
    command: { value: null },
    args: { value: null },
    memoryLimitBytes: { value: null },
    replicas: { value: 1 },
    restart: { value: "no" },
    role: { value: "service" },
    workload: { value: "compose service" },
    readiness: { value: null },
    names: [{ value: { name: "web", ports: [] } }],
  });
});

test.each([
  ["", null, null],
  ["command: a 'b c'", null, ["a", "b c"]],
  ["command: [a, 1, true]", null, ["a", "1", "true"]],
  ["command: []", null, []],
  ["entrypoint: /run.sh -x", ["/run.sh", "-x"], []],
  ["entrypoint: [/run.sh]\ncommand: x", ["/run.sh"], ["x"]],
  ["entrypoint: ''", [], []],
  ["entrypoint:\ncommand:", null, null],
])("%j: an entry point clears the image's command", (body, command, args) => {
  const web = one(body);
  expect([said(web.command), said(web.args)]).toEqual([command, args]);
});

test.each([
  ["build: ./web", { context: "web", dockerfile: "web/Dockerfile", args: {}, target: null }],
  ["build: .", { context: ".", dockerfile: "Dockerfile", args: {}, target: null }],
  [
    "build: {context: a/../b, dockerfile: ../Dockerfile.b, target: dev, args: {X: 1, GIVEN: , Y: }}",
    {
      context: "b",
      dockerfile: "Dockerfile.b",
      args: { X: "1", GIVEN: "yes", Y: null },
      target: "dev",
    },
  ],
  [
    "build: {context: ., args: [A=b=c, Y, 'Z=$NO']}",
    { context: ".", dockerfile: "Dockerfile", args: { A: "b=c", Y: null, Z: null }, target: null },
  ],
])("%s", (body, build) => {
  const web = one(body, "", { env: { GIVEN: "yes" } });
  expect(said(web.build)).toEqual(build);
  expect(web.image.known).toBe(false);
});

test("a build from elsewhere is not known, and is listed", () => {
  for (const context of [
    "https://github.com/acme/app.git",
    "git@github.com:acme/app",
    "../..",
    "/srv",
  ]) {
    const model = read(`services:\n  web:\n    build: ${context}\n`);
    expect(model.services[0]?.build.known).toBe(false);
    expect(leftOut(model)).toEqual(['compose.yaml:3 build of service "web"']);
  }
});

test("an image with a variable that nobody has set is not known", () => {
  expect(said(one("image: app:$TAG").image)).toEqual({ why: "TAG is not set." });
  expect(said(one("image: app:${TAG:-1}").image)).toBe("app:1");
});

test("variables: of the file, passed on, asked from the user, and not known", () => {
  const web = one(
    `environment:
  TEXT: x
  NUMBER: 1.50
  TRUE: true
  EMPTY: ""
  GIVEN:
  ASKED:
  ALSO_ASKED: \${SECRET}
  MIXED: postgres://u:$SECRET@db
  DOLLAR: $$x`,
    "",
    { env: { GIVEN: "yes" } },
  );
  expect(envOf(web)).toEqual({
    TEXT: "x",
    NUMBER: "1.5",
    TRUE: "true",
    EMPTY: "",
    GIVEN: "yes",
    ASKED: { kind: "fromUser", name: "ASKED" },
    ALSO_ASKED: { kind: "fromUser", name: "SECRET" },
    MIXED: { kind: "unknown", why: "SECRET is not set." },
    DOLLAR: "$x",
  });
});

test("variables as a list say the same, each at its line", () => {
  const web = one("environment:\n  - A=b=c\n  - B=\n  - C\n  - A=last");
  expect(envOf(web)).toEqual({ A: "last", B: "", C: { kind: "fromUser", name: "C" } });
  expect(web.env["A"]?.where).toMatchObject({ line: 8, column: 9 });
});

test("env files: the later counts, and the service's own variables before them", () => {
  const files = {
    "compose.yaml": `services:
  web:
    image: app
    env_file: [a.env, {path: b/b.env, required: false}, {path: none.env, required: false}]
    environment: {OWN: own}
  raw:
    image: app
    env_file: [{path: raw.env, format: raw}]
`,
    ".env": "FROM=dotenv\n",
    "a.env": "A=1\nOWN=file\nBOTH=a\nREF=$FROM\nNAME\n",
    "b/b.env": "BOTH=b\n",
    "raw.env": "Q='$FROM'\n",
  };
  const model = read(files);
  const web = service(model, "web");
  expect(envOf(web)).toEqual({
    A: "1",
    OWN: "own",
    BOTH: "b",
    REF: "dotenv",
    NAME: { kind: "fromUser", name: "NAME" },
  });
  expect(web.env["BOTH"]?.where).toEqual({ file: "b/b.env", line: 1, column: 1 });
  expect(web.env["A"]?.where).toEqual({ file: "a.env", line: 1, column: 1 });
  expect(web.envElsewhere).toEqual([]);
  expect(envOf(service(model, "raw"))).toEqual({ Q: "'$FROM'" });
});

test("an env file that is not in the repository is named: its variables are elsewhere", () => {
  expect(one("env_file: .env.production").envElsewhere).toEqual([
    {
      known: true,
      value: 'the env file ".env.production", which is not in the repository',
      where: { file: "compose.yaml", line: 4, column: 15 },
    },
  ]);
});

const ports = (body: string) =>
  one(body).endpoints.map((fact) => {
    const each = said(fact);
    if (each === undefined || "why" in each) return each;
    return `${each.name} ${each.targetPort} ${each.exposure} ${each.protocol}`;
  });

test.each([
  ['ports: ["8080:80"]', ["port-80 80 public tcp"]],
  ["ports: [80, 53:53/udp]", ["port-80 80 public tcp", "port-53-udp 53 public udp"]],
  ['ports: ["127.0.0.1:9229:9229"]', ["port-9229 9229 internal tcp"]],
  ['ports: ["3000-3001:80-81"]', ["port-80 80 public tcp", "port-81 81 public tcp"]],
  ['ports: ["8000-9000:80"]', ["port-80 80 public tcp"]],
  ["ports: [{target: 80, published: 8080, name: web, app_protocol: http}]", ["web 80 public http"]],
  ["ports: [{target: 80, host_ip: 127.0.0.1, protocol: udp}]", ["port-80-udp 80 internal udp"]],
  [
    "expose: [3000, '4000/udp']",
    ["port-3000 3000 internal tcp", "port-4000-udp 4000 internal udp"],
  ],
  ['ports: ["80"]\nexpose: [80]', ["port-80 80 public tcp"]],
  ['ports: ["${NO}:80"]', ["port-80 80 public tcp"]],
  ['ports: ["80:$NO"]', [{ why: "NO is not set." }]],
  ['ports: ["${PORT:-8080}:${PORT:-8080}"]', ["port-8080 8080 public tcp"]],
])("%s", (body, wanted) => {
  expect(ports(body)).toEqual(wanted);
});

test("volumes: named, without a name, of the repository, of the machine, in memory", () => {
  const web = one(
    `volumes:
  - data:/data/
  - data:/ro:ro
  - /cache
  - ./conf/app.conf:/etc/app.conf:ro
  - .:/src:cached
  - ~/.ssh:/root/.ssh
  - /etc/ssl:/etc/ssl
  - ../other:/other
  - /var/run/docker.sock:/var/run/docker.sock
  - {type: volume, source: data, target: /sub, read_only: true, volume: {subpath: a}}
  - {type: bind, source: ./conf, target: /conf}
  - {type: tmpfs, target: /tmp, tmpfs: {size: 64m}}
  - {type: volume, target: /anon}
tmpfs: ["/run", "/var/tmp:size=1m"]`,
    "volumes:\n  data:\n",
  );
  expect(web.mounts.map(said)).toEqual([
    { volume: "data", path: "/data" },
    { volume: "data", path: "/ro", readOnly: true },
    { volume: "web-cache", path: "/cache" },
    { volume: "data", path: "/sub", readOnly: true, subPath: "a" },
    { volume: "web-anon", path: "/anon" },
  ]);
  expect(web.files.map(said)).toEqual([
    { path: "/etc/app.conf", mode: null, content: { kind: "repository", path: "conf/app.conf" } },
    { path: "/src", mode: null, content: { kind: "repository", path: "." } },
    { path: "/conf", mode: null, content: { kind: "repository", path: "conf" } },
  ]);
  expect(web.hostAccess.map(said)).toEqual([
    { what: "host-path", detail: "~/.ssh" },
    { what: "host-path", detail: "/etc/ssl" },
    { what: "host-path", detail: "../other" },
    { what: "docker-socket", detail: "/var/run/docker.sock" },
  ]);
  expect(web.tmpfs.map(said)).toEqual([
    { path: "/tmp", sizeBytes: 64 * 1024 ** 2 },
    { path: "/run", sizeBytes: null },
    { path: "/var/tmp", sizeBytes: 1024 ** 2 },
  ]);
});

test("volumes of the top level: kept, in memory, and a folder in disguise", () => {
  const model = read(`services:
  web:
    image: app
    volumes: ["data:/data", "mem:/mem", "folder:/folder", "host:/host", "/x"]
volumes:
  data: {external: true, name: prod-data}
  mem: {driver_opts: {type: tmpfs, device: tmpfs, o: "size=10m,uid=1"}}
  folder: {driver: local, driver_opts: {type: none, device: ./files, o: bind}}
  host: {driver_opts: {type: none, device: /srv, o: bind}}
  unused:
`);
  expect(
    model.volumes.map(({ name, sizeBytes, ephemeral }) => allSaid([name, sizeBytes, ephemeral])),
  ).toEqual([
    ["data", null, false],
    ["mem", 10 * 1024 ** 2, true],
    ["web-x", null, true],
  ]);
  const web = service(model, "web");
  expect(web.files.map(said)).toMatchObject([{ path: "/folder", content: { path: "files" } }]);
  expect(web.hostAccess.map(said)).toEqual([{ what: "host-path", detail: "/srv" }]);
  expect(leftOut(model)).toEqual([
    'compose.yaml:6 external of volume "data"',
    'compose.yaml:6 name of volume "data"',
    'compose.yaml:10 volume "unused"',
  ]);
});

test("configs and secrets are files; a secret is a name and nothing else", () => {
  const model = read(
    {
      "compose.yaml": `services:
  web:
    image: app
    configs:
      - http
      - {source: inline, target: /etc/in.conf, mode: 0440}
      - {source: outer}
      - {source: var}
    secrets:
      - db-password
      - {source: token, target: /token}
      - {source: kept, target: other}
configs:
  http: {file: ./conf/http.conf}
  inline: {content: "port=\${PORT:-80}"}
  outer: {external: true}
  var: {environment: HTTP_CONF}
secrets:
  db-password: {file: ./password.txt}
  token: {environment: TOKEN}
  kept: {external: true, name: prod-kept}
`,
      "password.txt": "canary-in-a-file",
    },
    { env: { TOKEN: "canary-in-a-variable", HTTP_CONF: "listen" } },
  );
  const content = { kind: "unknown", why: 'The config "outer" is kept outside the project.' };
  expect(service(model, "web").files.map(said)).toEqual([
    { path: "/http", mode: null, content: { kind: "repository", path: "conf/http.conf" } },
    { path: "/etc/in.conf", mode: 0o440, content: { kind: "literal", text: "port=80" } },
    { path: "/outer", mode: null, content },
    { path: "/var", mode: null, content: { kind: "literal", text: "listen" } },
    ...[
      ["/run/secrets/db-password", "db-password", "db-password"],
      ["/token", "token", "token"],
      ["/run/secrets/other", "prod-kept", "kept"],
    ].map(([path, secret, key]) => ({
      path,
      mode: null,
      content: { kind: "secretRef", secret, key },
    })),
  ]);
  expect(JSON.stringify(model)).not.toContain("canary");
});

test.each([
  ["mem_limit: 300M", 300 * 1024 ** 2, null, null, null],
  ["mem_limit: 1000000", 1_000_000, null, null, null],
  ["mem_limit: 0", null, null, null, null],
  ["mem_reservation: 1g\ncpus: '0.5'", null, 1024 ** 3, 0.5, null],
  [
    "deploy: {resources: {limits: {memory: 1G, cpus: 2}, reservations: {memory: 512M, cpus: '.25'}}}",
    ...[1024 ** 3, 512 * 1024 ** 2, 2, 0.25],
  ],
  ["mem_limit: 1g\ndeploy: {resources: {limits: {memory: 1024M}}}", 1024 ** 3, null, null, null],
  ["mem_limit: ${MEM:-64m}", 64 * 1024 ** 2, null, null, null],
])("%s", (body, ...limits) => {
  const web = one(body);
  expect(
    allSaid([web.memoryLimitBytes, web.memoryRequestBytes, web.cpuLimitCores, web.cpuRequestCores]),
  ).toEqual(limits);
});

test.each([
  ["scale: 2", 2, "no", "service"],
  ["deploy: {replicas: 3}", 3, "no", "service"],
  ["deploy: {replicas: 0}", 0, "no", "service"],
  ["restart: unless-stopped", 1, "always", "service"],
  ["restart: on-failure:3", 1, "on-failure", "service"],
  ['restart: "no"', 1, "no", "service"],
  ["restart: no", 1, "no", "service"],
  ["restart: always\ndeploy: {restart_policy: {condition: none}}", 1, "no", "service"],
  ["deploy: {restart_policy: {}}", 1, "always", "service"],
  ["deploy: {mode: replicated-job}", 1, "no", "job"],
])("%s", (body, replicas, restart, role) => {
  const web = one(body);
  expect(allSaid([web.replicas, web.restart, web.role])).toEqual([replicas, restart, role]);
});

const defaults = { initialDelayS: 0, periodS: 30, timeoutS: 30, failures: 3, successes: 1 };
const check = (...command: string[]) => ({ kind: "exec", command });

test.each([
  ["test: curl -f x", { ...defaults, check: check("/bin/sh", "-c", "curl -f x") }],
  ['test: ["CMD", "curl", "x"]', { ...defaults, check: check("curl", "x") }],
  ['test: ["CMD-SHELL", "a || b"]', { ...defaults, check: check("/bin/sh", "-c", "a || b") }],
  ['test: ["NONE"]', null],
  ["test: x\ndisable: true", null],
  ["interval: 5s", { why: "It is the image's own check, with other times." }],
  [
    "test: x\ninterval: 1m30s\ntimeout: 500ms\nretries: 5\nstart_period: 1m",
    {
      check: check("/bin/sh", "-c", "x"),
      ...{ initialDelayS: 60, periodS: 90, timeoutS: 0.5, failures: 5, successes: 1 },
    },
  ],
])("a health check with %j", (body, wanted) => {
  const indented = body.split("\n").map((line) => `  ${line}`);
  expect(said(one(["healthcheck:", ...indented].join("\n")).readiness)).toEqual(wanted);
});

test("who it runs as, and what it may", () => {
  const web = one(`user: "1000:1000"
working_dir: /app
read_only: true
platform: linux/arm64/v8
stop_grace_period: 1m30s
cap_add: [NET_ADMIN, cap_sys_time]
cap_drop: [ALL]
privileged: true
pid: host
ipc: host
devices: ["/dev/kvm:/dev/kvm", {source: /dev/fuse, target: /dev/fuse}]
device_cgroup_rules: ["c 1:3 mr"]
security_opt: ["no-new-privileges:true", "seccomp:unconfined"]
use_api_socket: true
network_mode: host`);
  expect(
    allSaid([web.user, web.workingDir, web.readOnlyRoot, web.platform, web.stopGraceSeconds]),
  ).toEqual(["1000:1000", "/app", true, "linux/arm64/v8", 90]);
  expect(allSaid([web.capabilitiesAdded, web.capabilitiesDropped])).toEqual([
    ["NET_ADMIN", "SYS_TIME"],
    ["ALL"],
  ]);
  expect(web.hostAccess.map(said)).toEqual([
    { what: "privileged", detail: "privileged" },
    { what: "docker-socket", detail: "use_api_socket" },
    { what: "host-pid", detail: "pid: host" },
    { what: "host-ipc", detail: "ipc: host" },
    { what: "device", detail: "/dev/kvm:/dev/kvm" },
    { what: "device", detail: "/dev/fuse" },
    { what: "device", detail: "c 1:3 mr" },
    { what: "security-option", detail: "seccomp:unconfined" },
    { what: "host-network", detail: "network_mode: host" },
  ]);
});

test("who waits for whom, and what only runs once", () => {
  const model = read(`services:
  web:
    image: app
    depends_on:
      db: {condition: service_healthy}
      migrate: {condition: service_completed_successfully}
      mail: {condition: service_started, required: false}
      nobody: {condition: service_started, required: false}
    links: ["cache:store"]
  side: {image: app, network_mode: "service:web"}
  migrate: {image: app, depends_on: [db]}
  db: {image: postgres}
  cache: {image: redis}
  mail: {image: mail}
`);
  expect(service(model, "web").dependsOn.map(said)).toEqual([
    { service: "db", condition: "healthy", required: true },
    { service: "migrate", condition: "completed", required: true },
    { service: "mail", condition: "started", required: false },
    { service: "cache", condition: "started", required: true },
  ]);
  expect(model.services.map(({ role }) => said(role))).toEqual([
    ...["service", "sidecar", "job", "service", "service", "service"],
  ]);
  expect(said(service(model, "side").partOf)).toBe("web");
  expect(service(model, "cache").names.map(said)).toEqual([
    { name: "cache", ports: [] },
    { name: "store", ports: [] },
  ]);
});

test("names by which others reach it, and who those are", () => {
  const model = read(`services:
  web:
    image: app
    container_name: shop-web
    hostname: www
    ports: ["80:80"]
    networks: {front: {aliases: [site, web]}, back: }
  db: {image: postgres, networks: [back]}
  job: {image: app, network_mode: none}
  front: {image: app, networks: [front]}
networks:
  front:
  back: {internal: true}
`);
  expect(
    service(model, "web")
      .names.map(said)
      .map((each) => each && "name" in each && each.name),
  ).toEqual(["web", "shop-web", "www", "site"]);
  expect(said(service(model, "web").hostname)).toBe("www");
  expect(service(model, "db").hostname).toBeUndefined();
  const policies = model.policies.map((fact) => {
    const policy = said(fact);
    if (policy === undefined || "why" in policy) return policy;
    const { services, direction, allows } = policy;
    const from = allows.map(({ peers, ports }) => [
      peers?.join() ?? "*",
      ...ports.map((p) => p.port),
    ]);
    return `${services.join()} ${direction}: ${from.map((each) => each.join(" ")).join("; ")}`;
  });
  expect(policies).toEqual([
    "web ingress: web,front,db; * 80",
    "db ingress: web,db",
    "db egress: web,db",
    "job ingress: ",
    "job egress: ",
    "front ingress: web,front",
  ]);
});

test("services on one network are not told apart", () => {
  expect(read("services: {a: {image: x}, b: {image: x, ports: [80]}}").policies).toEqual([]);
});

test("profiles: what nobody asked for is left out, with what waits for it", () => {
  const text = `services:
  web: {image: app, depends_on: [debug]}
  debug: {image: app, profiles: [dev, test]}
`;
  const model = read(text);
  expect(model.services.length).toBe(1);
  expect(leftOut(model)).toEqual([
    'compose.yaml:2 dependency "debug"',
    'compose.yaml:3 service "debug"',
  ]);
  for (const asked of [
    { profiles: ["test"] },
    { profiles: ["*"] },
    { env: { COMPOSE_PROFILES: "x, dev" } },
  ]) {
    expect(read(text, asked).services.length).toBe(2);
  }
});

test("the project's name is given, or is not known", () => {
  const services = "services: {a: {image: x}}\n";
  expect(said(read(`name: shop\n${services}`).name)).toBe("shop");
  expect(said(read(`name: \${N:-shop}\n${services}`).name)).toBe("shop");
  expect(said(read(services, { env: { COMPOSE_PROJECT_NAME: "mine" } }).name)).toBe("mine");
  expect(read(services).name.known).toBe(false);
});
