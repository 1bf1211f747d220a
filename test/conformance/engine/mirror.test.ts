import { Readable } from "node:stream";
import { pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDockerEngine } from "../../../server/engine/docker/index.ts";
import type {
  Engine,
  Owner,
  ServiceFile,
  ServiceStart,
  WorkspaceSpec,
} from "../../../server/engine/engine.ts";
import { unsaidMirror, type PlannedService } from "../../../server/protocol/service.ts";
import { supervisorPort } from "../../../server/protocol/supervisor.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { createLog } from "../../../server/util/log.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { docker, objectsWith } from "../../helpers/engine-objects.ts";
import { planOf, service } from "../../helpers/plans.ts";
import {
  containerOf,
  hello,
  inside,
  startTestEngine,
  step,
  workspaceOwner,
  type TestEngine,
} from "../../helpers/test-engine.ts";
import { mirrored, noFiles, textFile } from "./mirrored.ts";
import { waiting } from "./suite.ts";

const lifetime = new Lifetime();
let test: TestEngine;
/** As a plan names it: it is read back as that. */
const image = "oneloop/workspace:latest";
beforeAll(async () => {
  test = lifetime.own(await startTestEngine());
});
afterAll(() => lifetime[Symbol.asyncDispose]());

const setup = { publicKey: "key", env: {} };

/** A workspace with its sandboxes and its own members; disposing removes it whole. */
async function open(
  services: readonly PlannedService[],
  { volumes = [], dev = {} }: { volumes?: readonly string[]; dev?: Partial<PlannedService> } = {},
) {
  const owner = workspaceOwner();
  const spec = specOf(owner, services, { volumes, dev });
  await bring(spec);
  return {
    owner,
    spec,
    start: (which: Partial<ServiceStart> & { service: string }, from: WorkspaceSpec = spec) =>
      test.engine.ensureService(from, { ...noFiles, ...which }, step()),
    [Symbol.asyncDispose]: async () => {
      await test.engine.remove(owner, { ...step(), storage: true });
      const left = await objectsWith(`oneloop.workspace=${owner.id}`);
      expect(left).toEqual({ containers: [], networks: [], volumes: [] });
      expect(await imagesOf(owner)).toEqual([]);
    },
  };
}

function specOf(
  owner: Owner,
  services: readonly PlannedService[],
  { volumes = [], dev = {} }: { volumes?: readonly string[]; dev?: Partial<PlannedService> } = {},
): WorkspaceSpec {
  const plan = planOf(
    [service("dev", { image, ...dev }), ...services],
    volumes.map((name) => ({ name, sizeBytes: null, ephemeral: false })),
  );
  return { owner, name: "mirrored", plan };
}

async function bring(spec: WorkspaceSpec, from: Pick<TestEngine, "engine"> = test): Promise<void> {
  await Promise.all([
    from.engine.ensureStorage(spec, step()),
    from.engine.ensureSandbox(spec, step()),
  ]);
  await from.engine.ensureMembers(spec, setup, step());
}

async function imagesOf(owner: Owner): Promise<string[]> {
  const filters = JSON.stringify({ label: [`oneloop.workspace=${owner.id}`] });
  const images = await docker.listImages({ filters });
  return images.flatMap(({ RepoTags }) => RepoTags ?? []);
}

async function shell(owner: Owner, name: string, script: string): Promise<string> {
  const { exitCode, output } = await inside(owner, name, ["bash", "-ec", script]);
  expect(exitCode, output).toBe(0);
  return output.trim();
}

/** Says its word to everybody who calls one of its ports, and who it is when it listens. */
function greeter(word: string, ...ports: number[]): string[] {
  const program = `
    const net = require("node:net");
    const greet = (s) => { s.on("error", () => {}); s.end(${JSON.stringify(word)}); };
    const udp = require("node:dgram").createSocket("udp4");
    udp.on("message", (_, from) => udp.send(${JSON.stringify(word)}, from.port, from.address));
    let left = ${ports.length};
    for (const port of ${JSON.stringify(ports)})
      net.createServer(greet).listen(port, "0.0.0.0", () => --left || udp.bind(${ports[0]}, () => console.log("listening")));
    process.on("SIGTERM", () => process.exit(0));`;
  return ["node", "-e", program];
}

async function untilListening(owner: Owner, name: string): Promise<void> {
  const container = docker.getContainer(await containerOf(owner, name));
  const log = await container.logs({ stdout: true, stderr: true, follow: true });
  let text = "";
  for await (const chunk of log) {
    text += String(chunk);
    if (text.includes("listening")) return;
  }
  throw new Error(`${name} ended before it listened: ${text}`);
}

const prober = `
import socket, sys
kind, host, port = sys.argv[1:]
sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
sock.settimeout(5)
try:
    sock.connect((host, int(port)))
    if kind == "udp": sock.send(b"hello")
    print(sock.recv(64).decode() or "nothing")
except TimeoutError: print("no answer")
except OSError as error: print("refused" if error.errno == 111 else str(error))
`;

async function dial(
  owner: Owner,
  from: string,
  target: { host: string; port: number; kind?: "tcp" | "udp" },
): Promise<string> {
  const { kind = "tcp", host, port } = target;
  const command = ["python3", "-c", prober, kind, host, String(port)];
  return (await inside(owner, from, command)).output.trim();
}

describe("the names of production", () => {
  const cluster = "db.default.svc.cluster.local";
  const port = (from: number, to: number, protocol: "tcp" | "udp" = "tcp") => ({
    port: from,
    targetPort: to,
    protocol,
  });
  let world: Awaited<ReturnType<typeof open>>;

  beforeAll(async () => {
    world = lifetime.own(
      await open(
        [
          mirrored("db", {
            image,
            command: greeter("db", 8080, 8090),
            mirror: {
              names: [
                { name: "database", ports: [] },
                { name: cluster, ports: [port(5432, 8080), port(53, 8080, "udp")] },
                { name: "other", ports: [port(5432, 8090), port(7000, supervisorPort)] },
              ],
            },
          }),
          mirrored("db-proxy", {
            image,
            command: greeter("proxy", 8081),
            mirror: { role: "sidecar", partOf: "db" },
          }),
          mirrored("dev-helper", {
            image,
            command: greeter("helper", 8082),
            mirror: { role: "sidecar", partOf: "dev" },
          }),
          mirrored("with_sandbox", { image, command: waiting }),
          mirrored("with", { image, command: waiting }),
        ],
        {
          dev: {
            mirror: { ...unsaidMirror, names: [{ name: "front-end", ports: [port(80, 8082)] }] },
          },
        },
      ),
    );
    const names = ["db", "db-proxy", "dev-helper"];
    await Promise.all(
      [...names, "with", "with_sandbox"].map((each) => world.start({ service: each })),
    );
    await Promise.all(names.map((name) => untilListening(world.owner, name)));
  });

  it("lead to the service, dotted ones too, from the dev service and from neighbours", async () => {
    for (const host of ["db", "database", cluster, "other"]) {
      for (const from of ["dev", "with"]) {
        expect(await dial(world.owner, from, { host, port: 8080 }), host).toBe("db");
      }
    }
  });

  it("lead from production's port to the one where the program listens, tcp and udp", async () => {
    expect(await dial(world.owner, "dev", { host: cluster, port: 5432 })).toBe("db");
    expect(await dial(world.owner, "dev", { host: cluster, port: 53, kind: "udp" })).toBe("db");
    // The dev service is called by the name of what it stands in for.
    expect(await dial(world.owner, "db", { host: "front-end", port: 80 })).toBe("helper");
  });

  it("lead there from the service itself, and leave its loopback alone", async () => {
    expect(await dial(world.owner, "db", { host: cluster, port: 5432 })).toBe("db");
    expect(await dial(world.owner, "db", { host: cluster, port: 53, kind: "udp" })).toBe("db");
    expect(await dial(world.owner, "db", { host: "127.0.0.1", port: 5432 })).toBe("refused");
    expect(await dial(world.owner, "dev", { host: "front-end", port: 80 })).toBe("helper");
  });

  it("open no way to a supervisor", async () => {
    const { engine } = test;
    const setup = { publicKey: "key", idleMs: 60_000 };
    const { address } = await engine.enterService(
      { owner: world.owner, service: "db" },
      setup,
      step(),
    );
    for (const from of ["dev", "db"]) {
      for (const at of [7000, address.port]) {
        expect(await dial(world.owner, from, { host: "other", port: at }), `${from} ${at}`).toBe(
          "refused",
        );
      }
    }
    const lines: string[] = [];
    const onProgress = (line: string): unknown => lines.push(line);
    for (const { name, mirror } of world.spec.plan.services) {
      if (name === "dev" || (mirror?.partOf ?? null) !== null) continue;
      await engine.ensureSandbox(world.spec, { ...step(), service: name, onProgress });
    }
    expect(lines).toEqual([
      "Port 5432 of other does not lead to 8090: another name of the same service leads to 8080.",
      `Port 7000 of other does not lead to ${supervisorPort}: one of them is Oneloop's own.`,
    ]);
  });

  it("leave side containers in the network of their service", async () => {
    expect(await dial(world.owner, "db", { host: "127.0.0.1", port: 8081 })).toBe("proxy");
    expect(await dial(world.owner, "dev", { host: "127.0.0.1", port: 8082 })).toBe("helper");
    expect(await dial(world.owner, "dev", { host: "127.0.0.1", port: 8081 })).toBe("refused");
    const { containers } = await objectsWith(`oneloop.workspace=${world.owner.id}`);
    expect(containers.filter((name) => name.endsWith("_sandbox"))).toHaveLength(4);
  });

  it("hold with ONELOOP_ISOLATION=off, too", async () => {
    await using trusting = await startTestEngine({ isolation: "off" });
    const { spec } = world;
    const owner = workspaceOwner();
    await bring({ ...spec, owner }, trusting);
    await trusting.engine.ensureService({ ...spec, owner }, { ...noFiles, service: "db" }, step());
    await untilListening(owner, "db");
    expect(await dial(owner, "dev", { host: cluster, port: 5432 })).toBe("db");
    await trusting.engine.remove(owner, { ...step(), storage: true });
  });
});

describe("the settings of production", () => {
  const status = "grep -E '^(Uid|CapBnd|CapEff)' /proc/1/status | tr -s '\\t ' ' '";

  it("are the container's: folder, user, limits, read-only root, tmpfs, capabilities", async () => {
    await using world = await open([
      mirrored("web", {
        image,
        command: waiting,
        user: "1000",
        readOnlyRoot: true,
        memoryLimitBytes: 64 * 1024 ** 2,
        // More than any machine of a test has.
        cpuLimitCores: 999,
        mirror: {
          workingDir: "/usr/share",
          stopGraceSeconds: 3.5,
          tmpfs: [
            { path: "/tmp", sizeBytes: null },
            { path: "/var/cache", sizeBytes: 8 * 1024 ** 2 },
          ],
        },
      }),
      mirrored("none", {
        image,
        command: waiting,
        mirror: {
          capabilitiesDropped: ["ALL"],
          capabilitiesAdded: ["CAP_NET_BIND_SERVICE", "NET_RAW", "SYS_ADMIN"],
        },
      }),
      mirrored("fewer", {
        image,
        command: waiting,
        mirror: { capabilitiesDropped: ["chown"], capabilitiesAdded: ["ALL"] },
      }),
      mirrored("less", {
        image,
        command: waiting,
        mirror: { capabilitiesDropped: ["CHOWN", "KILL"] },
      }),
    ]);
    const { owner } = world;
    for (const name of ["web", "none", "fewer", "less"]) await world.start({ service: name });
    expect(await shell(owner, "web", "pwd")).toBe("/usr/share");
    expect(await shell(owner, "web", status)).toMatch(/^Uid: 1000 1000/);
    const sizes = await shell(owner, "web", "df --output=target,size -k /tmp /var/cache | tail -2");
    expect(sizes.replaceAll(/ +/g, " ")).toBe("/tmp 65536\n/var/cache 8192");
    const write =
      "touch /etc/x 2>&1 || printf '#!/bin/sh\\necho ran' > /tmp/p && chmod +x /tmp/p && /tmp/p";
    expect(await shell(owner, "web", write)).toMatch(/Read-only file system\nran$/);
    const { HostConfig, Config } = await docker
      .getContainer(await containerOf(owner, "web"))
      .inspect();
    expect(HostConfig).toMatchObject({ Memory: 64 * 1024 ** 2, MemorySwap: 64 * 1024 ** 2 });
    expect(Config).toMatchObject({ StopTimeout: 4 });
    const observed = await test.engine.observe(owner);
    expect(observed.members.find((one) => one.service === "web")?.runs.cpuLimitCores).toBe(999);

    const bounding = async (name: string): Promise<bigint> =>
      BigInt(`0x${/CapBnd: ([0-9a-f]+)/.exec(await shell(owner, name, status))?.[1]}`);
    // NET_BIND_SERVICE has the number 10; neither NET_RAW (13) nor SYS_ADMIN (21) is ever there.
    expect(await bounding("none")).toBe(1n << 10n);
    const whole = await bounding("dev");
    expect(await bounding("fewer")).toBe(whole);
    // CHOWN is 0, KILL is 5.
    expect(await bounding("less")).toBe(whole & ~((1n << 0n) | (1n << 5n)));
    // Whatever it may not do, somebody can go in.
    for (const name of ["web", "none"]) {
      const entering = { publicKey: "key", idleMs: 60_000 };
      const which = { owner, service: name };
      const { address, boot } = await test.engine.enterService(which, entering, step());
      expect(await hello(address)).toMatchObject({ workspace: owner.id, boot });
    }
  });

  it("give a service the time that production gives it to end", async () => {
    const slow = [
      "bash",
      "-c",
      "trap 'sleep 3; exit 5' TERM; while :; do sleep 1000 & wait $!; done",
    ];
    await using world = await open([
      mirrored("slow", { image, command: slow, mirror: { stopGraceSeconds: 20 } }),
      mirrored("quick", { image, command: slow }),
    ]);
    for (const service of ["slow", "quick"]) await world.start({ service });
    await test.engine.stop(world.owner, { ...step(), graceMs: 1000 });
    const { members } = await test.engine.observe(world.owner);
    const codes = members.map(({ service, exitCode }) => [service, exitCode]);
    expect(codes).toEqual(
      expect.arrayContaining([
        ["slow", 5],
        ["quick", 137],
      ]),
    );
  });

  it("are not waited for where the kernel would show them no signal", async () => {
    await using world = await open([mirrored("deaf", { image, command: ["sleep", "1000000"] })]);
    await world.start({ service: "deaf" });
    // Longer than this test has.
    const graceMs = 600_000;
    await test.engine.stopService({ owner: world.owner, service: "deaf" }, { ...step(), graceMs });
    const { members } = await test.engine.observe(world.owner);
    expect(members.find(({ service }) => service === "deaf")?.exitCode).toBe(137);
  });

  it("are refused where the image is for another machine", async () => {
    await using world = await open([
      mirrored("arm", { image, command: waiting, mirror: { platform: "linux/s390x" } }),
      mirrored("fits", { image, command: waiting, mirror: { platform: platformHere() } }),
    ]);
    await expect(world.start({ service: "arm" })).rejects.toMatchObject({
      code: "image-unavailable",
      message: expect.stringMatching(/arm is for linux\/s390x, and the engine's image .* is for/),
    });
    expect(await world.start({ service: "fits" })).toEqual({ started: true });
  });

  it("name a command that cannot be started", async () => {
    await using world = await open([mirrored("web", { image, command: ["/no/such/program"] })]);
    await expect(world.start({ service: "web" })).rejects.toMatchObject({
      code: "container-exited",
      message: expect.stringMatching(/^The command of web cannot be started: .*no such file/),
    });
  });
});

function platformHere(): string {
  return `linux/${process.arch === "x64" ? "amd64" : process.arch}`;
}

describe("the files of production", () => {
  const files = [
    textFile("/etc/app/app.conf", "conf\n", 0o640),
    textFile("/new/deep/below.txt", "deep\n"),
    textFile("/state/seed.txt", "seed\n"),
  ];
  const web = (change: Partial<PlannedService> = {}): PlannedService =>
    mirrored("web", {
      image,
      command: waiting,
      mounts: [{ volume: "state", path: "/state" }],
      ...change,
      mirror: { files: files.map(({ planned }) => planned) },
    });
  const put: ServiceFile[] = files.map((file) => file.put);
  const list =
    "stat -c '%a %u %n' /etc/app/app.conf /new /new/deep; cat /etc/app/app.conf /new/deep/below.txt /state/seed.txt";
  const expected = ["640 0 /etc/app/app.conf", "755 0 /new", "755 0 /new/deep"];
  expected.push("conf", "deep", "seed");

  it.each([false, true])(
    "are there before it starts (read-only root: %s)",
    async (readOnlyRoot) => {
      await using world = await open([web({ readOnlyRoot })], { volumes: ["state"] });
      const reads: string[] = [];
      const start = (filesKey: string, again = false) =>
        world.start({
          service: "web",
          filesKey,
          again,
          readFiles: () => {
            reads.push(filesKey);
            return Promise.resolve(put);
          },
        });
      const spec = world.spec.plan.services.find(({ name }) => name === "web");
      expect(await start("a")).toEqual({ started: true });
      expect((await shell(world.owner, "web", list)).split("\n")).toEqual(expected);
      const [first, before] = [await containerOf(world.owner, "web"), reads.length];

      // The same again: the container is left alone, and nobody reads the files.
      expect(await start("a")).toEqual({ started: false });
      expect(await start("a", true)).toEqual({ started: true });
      expect([await containerOf(world.owner, "web"), reads.length]).toEqual([first, before]);
      expect(await imagesOf(world.owner)).toHaveLength(readOnlyRoot ? 1 : 0);

      expect(await start("b")).toEqual({ started: true });
      expect(await containerOf(world.owner, "web")).not.toBe(first);
      expect((await shell(world.owner, "web", list)).split("\n")).toEqual(expected);
      const { members, volumes, leftovers } = await test.engine.observe(world.owner);
      expect(members.find((one) => one.service === "web")?.runs).toMatchObject({
        image: spec?.image,
        readOnlyRoot,
        mounts: [{ volume: "state", path: "/state" }],
      });
      expect(volumes).toEqual(["home", "source", "state"]);
      expect(leftovers).toEqual([]);
      // Of the two that were made, the older is in nobody's use any more.
      await start("c");
      expect(await imagesOf(world.owner)).toHaveLength(readOnlyRoot ? 1 : 0);
    },
  );

  it.each([false, true])(
    "are put again after a killed start (read-only root: %s)",
    async (root) => {
      await using world = await open([web({ readOnlyRoot: root })], { volumes: ["state"] });
      const killed = world.start({
        service: "web",
        readFiles: () => Promise.reject(new Error("killed here")),
      });
      await expect(killed).rejects.toMatchObject({ code: "engine-failed" });
      await world.start({ service: "web", readFiles: () => Promise.resolve(put) });
      expect((await shell(world.owner, "web", list)).split("\n")).toEqual(expected);
    },
  );

  it("stay in the container, whatever links the image and the archive have", async () => {
    const linked = lifetime.own(
      await buildTestImage({
        Dockerfile: `FROM ${test.images.helper}\nCOPY root/ /\n`,
        "root/up": { link: "../../../../../../srv" },
        "root/way": { link: "/srv" },
        "root/to-oneloop": { link: "/.oneloop/bin" },
        "root/file": { link: "/etc/hostname-of-image" },
      }),
    );
    const at = (path: string): ServiceFile => textFile(path, "put\n").put;
    const one = (file: ServiceFile): PlannedService =>
      mirrored(`at-${files.length}`, {
        image: linked.image,
        command: waiting,
        mirror: { files: [textFile(file.path, "").planned] },
      });
    const plain = { ...one(at("/way/in/x")), name: "plain" };
    await using world = await open([
      plain,
      { ...one(at("/up/x")), name: "up" },
      { ...one(at("/to-oneloop/node")), name: "oneloop" },
    ]);
    const archive = Readable.from(
      await tarOf({
        "in/inner.txt": "inner\n",
        "in/out": { link: "/etc" },
        "../../up.txt": "up\n",
      }),
    );
    const folder: ServiceFile = {
      path: "/folder",
      mode: 0o755,
      content: { kind: "folder", archive },
    };
    const all = [at("/way/in/x"), at("/file"), at("/folder/../a/b"), folder];
    await world.start({ service: "plain", readFiles: () => Promise.resolve(all) });
    const seen = await shell(
      world.owner,
      "plain",
      "cat /srv/in/x /a/b /folder/in/inner.txt /folder/up.txt; readlink /way /folder/in/out; ls -l /file | cut -c1; ls /etc/hostname-of-image 2>&1 | tail -c 10",
    );
    expect(seen.split("\n")).toEqual([
      "put",
      "put",
      "inner",
      "up",
      "/srv",
      "/etc",
      "-",
      "directory",
    ]);
    // Nothing of this machine, and nothing of the supervisor that all workspaces share.
    await world.start({ service: "up", readFiles: () => Promise.resolve([at("/up/x")]) });
    expect(await shell(world.owner, "up", "cat /srv/x")).toBe("put");
    const through = {
      service: "oneloop",
      readFiles: () => Promise.resolve([at("/to-oneloop/node")]),
    };
    await expect(world.start(through)).rejects.toMatchObject({ code: "engine-failed" });
    expect(await shell(world.owner, "plain", "head -c 4 /.oneloop/bin/node | tail -c 3")).toBe(
      "ELF",
    );
  });

  it.each([
    ["/.oneloop/bin/node", /\.oneloop is not the image's/],
    ["/proc/1/environ", /\/proc is not the image's/],
    ["relative", /no path of a file/],
    ["/scratch/x", /in memory and empty/],
  ])("are refused at %s", async (path, message) => {
    const file = textFile(path, "x");
    const tmpfs = [{ path: "/scratch", sizeBytes: null }];
    await using world = await open([
      mirrored("web", { image, command: waiting, mirror: { files: [file.planned], tmpfs } }),
    ]);
    const start = world.start({ service: "web", readFiles: () => Promise.resolve([file.put]) });
    await expect(start).rejects.toMatchObject({ code: "bad-input", message });
  });

  it("are in no image that a plan can name", async () => {
    await using world = await open([web({ readOnlyRoot: true })], { volumes: ["state"] });
    await world.start({ service: "web", readFiles: () => Promise.resolve(put) });
    const [ref = ""] = await imagesOf(world.owner);
    expect(ref).toMatch(/^oneloop-files\//);
    for (const name of [ref, `docker.io/${ref}`]) {
      await expect(test.engine.ensureImage(name, step())).rejects.toMatchObject({
        code: "image-unavailable",
      });
    }
  });
});

describe("volumes of production", () => {
  let database: { image: string };
  beforeAll(async () => {
    database = lifetime.own(
      await buildTestImage({
        Dockerfile: `FROM ${test.images.helper}\nCOPY seed /var/lib/db/seed\nVOLUME /var/lib/db/ /other\n`,
        seed: "seed\n",
      }),
    );
  });

  it("keep what an image declares as a volume, over another supervisor and another image", async () => {
    const db = mirrored("db", { image: database.image, command: waiting });
    const own = service("own", { image: database.image, command: waiting });
    await using world = await open([db, own]);
    const { owner } = world;
    await world.start({ service: "db" });
    for (const name of ["db", "own"]) {
      expect(await shell(owner, name, "cat /var/lib/db/seed; echo kept > /var/lib/db/f")).toBe(
        "seed",
      );
    }
    const first = await containerOf(owner, "db");
    expect((await test.engine.observe(owner)).volumes).toEqual(["home", "source"]);

    // As a new release does it: the supervisor's volume has another name.
    await using upgraded = await upgradedEngine();
    await bring(world.spec, upgraded);
    const again = { ...noFiles, service: "db" };
    expect(await upgraded.engine.ensureService(world.spec, again, step())).toEqual({
      started: true,
    });
    expect(await containerOf(owner, "db")).not.toBe(first);
    for (const name of ["db", "own"]) {
      expect(await shell(owner, name, "cat /var/lib/db/seed /var/lib/db/f")).toBe("seed\nkept");
    }
    // No volume without a name, which nobody would find again.
    const { Mounts } = await docker.getContainer(await containerOf(owner, "db")).inspect();
    expect(Mounts.map(({ Destination }) => Destination).sort()).toEqual([
      "/.oneloop",
      "/other",
      "/var/lib/db",
    ]);
    for (const { Name } of Mounts) expect(Name).toMatch(/^oneloop-/);
    await test.engine.remove(owner, { ...step(), storage: false });
    await bring(world.spec);
    await world.start({ service: "db" });
    expect(await shell(owner, "db", "cat /var/lib/db/f")).toBe("kept");
  });

  it("are in memory where production says so, whatever the image declares", async () => {
    await using world = await open([
      mirrored("db", {
        image: database.image,
        command: waiting,
        mirror: { tmpfs: [{ path: "/var/lib/db", sizeBytes: 4096 }] },
      }),
    ]);
    await world.start({ service: "db" });
    expect(await shell(world.owner, "db", "stat -f -c %T /var/lib/db /other")).toMatch(
      /^tmpfs\next/,
    );
  });

  it("are read-only where production says so, and only the folder that it says", async () => {
    const folder = { volume: "data", subPath: "a/b" };
    await using world = await open(
      [
        mirrored("writer", {
          image,
          command: waiting,
          mounts: [
            { ...folder, path: "/w" },
            { volume: "data", subPath: "c", path: "/c" },
          ],
        }),
        mirrored("reader", {
          image,
          command: waiting,
          mounts: [{ volume: "data", subPath: "/a/b/", path: "/r", readOnly: true }],
        }),
      ],
      { volumes: ["data"] },
    );
    for (const name of ["writer", "reader"]) await world.start({ service: name });
    await shell(world.owner, "writer", "echo x > /w/f; ls /c");
    expect(await shell(world.owner, "reader", "cat /r/f; touch /r/g 2>&1 || true")).toMatch(
      /^x\n.*Read-only file system$/,
    );
    const { members, volumes } = await test.engine.observe(world.owner);
    expect(volumes).toEqual(["data", "home", "source"]);
    expect(members.find((one) => one.service === "reader")?.runs.mounts).toEqual([
      { volume: "data", path: "/r" },
    ]);

    const whole = mirrored("whole", {
      image,
      command: waiting,
      mounts: [{ volume: "data", path: "/all" }],
    });
    const around = specOf(world.owner, [...world.spec.plan.services.slice(1), whole], {
      volumes: ["data"],
    });
    await test.engine.ensureSandbox(around, step());
    await expect(world.start({ service: "writer" }, around)).rejects.toMatchObject({
      code: "plan-impossible",
      message: expect.stringMatching(/^writer wants only the folder a\/b .* whole has all of it/),
    });
  });
});

describe("a service that runs", () => {
  it("answers its checks, as its own user, and a check that hangs is ended", async () => {
    await using world = await open([
      mirrored("web", { image, command: waiting, user: "1000", env: { WORD: "said" } }),
    ]);
    const web = { owner: world.owner, service: "web" };
    const check = (...command: string[]): Promise<number> =>
      test.engine.execInService({ ...web, command }, step());
    await expect(check("true")).rejects.toMatchObject({ code: "workspace-not-running" });
    await world.start({ service: "web" });
    expect(await check("true")).toBe(0);
    expect(await check("sh", "-c", "exit 7")).toBe(7);
    expect(await check("sh", "-c", 'test "$(id -u) $WORD" = "1000 said"')).toBe(0);
    expect(await check("/no/such/program")).toBe(127);
    expect(await check("sh", "-c", "yes | head -c 10000000")).toBe(0);

    const cancelled = new AbortController();
    const hanging = test.engine.execInService(
      { ...web, command: ["sh", "-c", "sleep 4242 & echo > /tmp/began; wait"] },
      cancelled,
    );
    await shell(world.owner, "web", "until [ -e /tmp/began ]; do sleep 0.05; done");
    cancelled.abort();
    await expect(hanging).rejects.toMatchObject({ code: "cancelled" });
    // The engine tells it by closing the standard input, a moment later.
    await shell(world.owner, "web", "while pgrep -f 'sleep 4242$'; do sleep 0.05; done");

    await test.engine.stopService(web, { ...step(), graceMs: 5000 });
    const { members } = await test.engine.observe(world.owner);
    expect(members.find((one) => one.service === "web")).toMatchObject({
      state: "exited",
      exitCode: 0,
    });
    await test.engine.stopService(web, { ...step(), graceMs: 5000 });
    await expect(check("true")).rejects.toMatchObject({ code: "workspace-not-running" });
  });

  it("is left alone by the start of the workspace's own members, and starts with its sandbox", async () => {
    await using world = await open([mirrored("web", { image, command: waiting })]);
    await world.start({ service: "web" });
    const before = await containerOf(world.owner, "web");
    await bring(world.spec);
    expect(await containerOf(world.owner, "web")).toBe(before);
    await test.engine.stop(world.owner, { ...step(), graceMs: 1000 });
    await bring(world.spec);
    const stopped = (await test.engine.observe(world.owner)).members;
    expect(stopped.find((one) => one.service === "web")?.state).toBe("exited");
    expect(await world.start({ service: "web" })).toEqual({ started: true });
    expect(await containerOf(world.owner, "web")).toBe(before);
  });
});

describe("the sandbox of a service", () => {
  it("is made with its service, and its end is the service's alone", async () => {
    await using world = await open([mirrored("web", { image, command: waiting })]);
    const sandboxes = async (): Promise<string[]> =>
      (await objectsWith(`oneloop.workspace=${world.owner.id}`)).containers.filter((name) =>
        name.endsWith("_sandbox"),
      );
    expect(await sandboxes()).toHaveLength(1);
    await world.start({ service: "web" });
    expect(await sandboxes()).toHaveLength(2);
    const label = [`oneloop.workspace=${world.owner.id}`, "oneloop.role=sandbox"];
    const filters = { label: [...label, "oneloop.service=web"] };
    const [own] = await docker.listContainers({ filters });
    await docker.getContainer(own?.Id ?? "none").kill();
    const seen = await test.engine.observe(world.owner);
    expect(seen.sandbox).toBe("running");
    const cutOff = seen.members.map(({ service: name, isCutOff = false }) => [name, isCutOff]);
    expect(Object.fromEntries(cutOff)).toEqual({ dev: false, web: true });
    expect(await world.start({ service: "web" })).toEqual({ started: true });
    const again = await test.engine.observe(world.owner);
    expect(again.members.some(({ isCutOff }) => isCutOff === true)).toBe(false);
    expect(await shell(world.owner, "dev", "getent hosts web > /dev/null && echo found")).toBe(
      "found",
    );
  });
});

describe("a network that a plan outgrows", () => {
  it("is made again with room for all, and its members with it", async () => {
    const more = Array.from({ length: 13 }, (_, index) =>
      mirrored(`s${index}`, { image, command: waiting }),
    );
    await using world = await open(more.slice(0, 1));
    await world.start({ service: "s0" });
    expect(await subnetOf(world.owner)).toMatch(/\/28$/);
    const grown = specOf(world.owner, more);
    await bring(grown);
    expect(await subnetOf(world.owner)).toMatch(/\/26$/);
    for (const name of ["s0", "s12"]) await world.start({ service: name }, grown);
    const resolve = "getent hosts s12 > /dev/null && getent hosts dev > /dev/null && echo found";
    expect(await shell(world.owner, "s0", resolve)).toBe("found");
    // A smaller plan keeps it.
    await bring(world.spec);
    expect(await subnetOf(world.owner)).toMatch(/\/26$/);
  });
});

/** Of the same installation, with another supervisor. */
async function upgradedEngine(): Promise<{ engine: Engine } & AsyncDisposable> {
  const { installation, images } = test;
  const supervisorVolume = `oneloop-${installation}-supervisor-next`;
  const labels = { "oneloop.installation": installation, "oneloop.part": "supervisor" };
  await docker.createVolume({ Name: supervisorVolume, Labels: labels });
  const filler = await docker.createContainer({
    Image: images.supervisorImage,
    Cmd: ["/.oneloop/bin/init"],
    Labels: labels,
    HostConfig: { Mounts: [{ Type: "volume", Source: supervisorVolume, Target: "/.oneloop" }] },
  });
  await filler.remove();
  const engine = await createDockerEngine({
    dockerHost: process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock",
    installation,
    images: { ...images, supervisorVolume },
    subnets: "10.214.0.0/20",
    allowNet: [],
    isolation: "on",
    log: createLog({ level: "silent" }),
  });
  return { engine, [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() };
}

async function subnetOf(owner: Owner): Promise<string> {
  const network = docker.getNetwork(`oneloop-${test.installation}-${owner.id}`);
  const { IPAM } = (await network.inspect()) as { IPAM?: { Config?: { Subnet?: string }[] } };
  return IPAM?.Config?.[0]?.Subnet ?? "";
}

type Tree = Readonly<Record<string, string | { readonly link: string }>>;

async function tarOf(tree: Tree): Promise<Buffer[]> {
  const out = pack();
  for (const [name, content] of Object.entries(tree)) {
    if (typeof content === "string") out.entry({ name, mode: 0o644 }, content);
    else out.entry({ name, type: "symlink", linkname: content.link });
  }
  out.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of out) chunks.push(chunk as Buffer);
  return chunks;
}

/** An image of the test's own; disposing removes it. */
async function buildTestImage(tree: Tree): Promise<AsyncDisposable & { image: string }> {
  const name = `oneloop-test/mirror:${randomIds.id()}`;
  const building = await docker.buildImage(Readable.from(await tarOf(tree)), {
    t: name,
    networkmode: "none",
  });
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(building, (error) => (error === null ? resolve() : reject(error)));
  });
  return {
    image: name,
    [Symbol.asyncDispose]: async () => {
      await docker.getImage(name).remove({ force: true });
    },
  };
}
