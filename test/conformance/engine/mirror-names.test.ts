import { beforeAll, describe, expect, it } from "vitest";
import type { Preparation } from "../../../server/engine/engine.ts";
import type { Owner } from "../../../server/engine/steps.ts";
import type { WorkspacePlan } from "../../../server/protocol/plan.ts";
import { unsaidMirror } from "../../../server/protocol/service.ts";
import { supervisorPort } from "../../../server/protocol/supervisor.ts";
import { docker, objectsWith } from "../../helpers/engine-objects.ts";
import {
  containerOf,
  inside,
  sandboxesOf,
  startTestEngine,
  step,
  workspaceOwner,
} from "../../helpers/test-engine.ts";
import { mirrored, noFiles } from "./mirrored.ts";
import { waiting } from "./suite.ts";
import { lifetime, test, image, open, bring } from "./mirror-rig.ts";

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

describe.each<[string, (plan: WorkspacePlan) => Preparation | null]>([
  ["when it is opened", () => null],
  ["ahead", (like) => ({ like, spares: 0 })],
  ["ahead for nobody yet", () => ({ like: null, spares: 3 })],
])("the names of production, in sandboxes made %s,", (when, ahead) => {
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
          ahead,
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

  it.runIf(when === "ahead")(
    "are there before anybody opens it, and nothing is made again",
    async () => {
      expect(world.made).toHaveLength(4);
      expect(await sandboxesOf(world.owner)).toEqual(world.made);
      // A control plane that knows nothing of them believes the engine, and ends nothing that runs.
      const later = await test.another();
      for (const name of ["db", "with"]) {
        await later.ensureSandbox(world.spec, { ...step(), service: name });
        const which = { ...noFiles, service: name };
        expect(await later.ensureService(world.spec, which, step())).toEqual({ started: false });
      }
      expect(await sandboxesOf(world.owner)).toEqual(world.made);
    },
  );

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
