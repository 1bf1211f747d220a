import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Owner, SupervisorAddress } from "../../../server/engine/steps.ts";
import { supervisorPort } from "../../../server/protocol/supervisor.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { docker } from "../../helpers/engine-objects.ts";
import { carryAddresses, listenEverywhere } from "../../helpers/host-addresses.ts";
import { hostPublicAddress, startOutside, type Outside } from "../../helpers/outside.ts";
import { planOf, service } from "../../helpers/plans.ts";
import { machineAddress } from "../../helpers/ports.ts";
import {
  containerOf,
  hello,
  inside,
  insideAs,
  sandboxesOf,
  startTestEngine,
  step,
  workspaceOwner,
  type TestEngine,
} from "../../helpers/test-engine.ts";

const metadataAddress = "169.254.169.254";
const privateAddress = "10.99.99.1";

/** Beyond this machine, each of another range that is not the internet. */
const outsideRanges = {
  private10: "10.77.77.1",
  private172: "172.29.77.1",
  private192: "192.168.177.1",
  carrierGrade: "100.64.77.1",
  linkLocal: "169.254.77.1",
  benchmark: "198.18.77.1",
} as const;
const outsidePort = 8443;
const resolverAddress = outsideRanges.private10;

/** From a service: by TCP and UDP, what each `host port` answers; one line for each. */
const prober = `
import socket, sys
for target in sys.argv[1:]:
    kind, host, port = target.split(" ")
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    sock.settimeout(5)
    try:
        sock.connect((host, int(port)))
        if kind == "udp": sock.send(b"hello")
        print("reached" if sock.recv(16) == b"reached\\n" else "nothing")
    except TimeoutError:
        print("no answer")
    except OSError:
        print("refused")
`;

/** Greets on every address of its namespace, of both families; says when it listens. */
const greeter = [
  "node",
  "-e",
  `require("node:net").createServer((s) => { s.on("error", () => {}); s.end("reached\\n") })
    .listen(8080, "::", () => console.log("listening"));
   process.on("SIGTERM", () => process.exit(0));`,
];

interface Opened {
  readonly owner: Owner;
  readonly address: SupervisorAddress;
}

describe.each([
  ["when it is opened", { made: 0 }],
  ["ahead", { made: 2, like: true }],
  ["ahead for nobody yet", { made: 1 }],
] as const)("isolation of a workspace whose sandboxes are made %s", (_when, ahead) => {
  const lifetime = new Lifetime();
  let resolvConf: string;
  let allowedPort: number;
  let refusedPort: number;
  let closed: TestEngine;
  let one: Opened;
  let other: Opened;
  let outside: Outside;

  const open = async (test: TestEngine): Promise<Opened> => {
    const owner = workspaceOwner();
    const image = test.images.workspace;
    const plan = planOf([
      service("dev", { image }),
      service("web", { image, command: greeter }),
      service("alone", { image, command: greeter, dedicatedPod: true }),
      service("tools", { image: test.images.helper, command: ["sleep", "infinity"] }),
    ]);
    const spec = { owner, name: "isolated", plan };
    if (ahead.made > 0) {
      const like = "like" in ahead ? plan : null;
      const preparation = { like, spares: 0, several: true } as const;
      await test.engine.prepareSandboxes(owner, { ...step(), preparation });
      expect(test.engine.countPrepared(plan, preparation)).toBe(ahead.made);
    }
    const before = await sandboxesOf(owner);
    expect(before).toHaveLength(ahead.made);
    await Promise.all([
      test.engine.ensureStorage(spec, step()),
      test.engine.ensureSandbox(spec, step()),
    ]);
    const setup = { publicKey: "key", env: {} };
    const { address } = await test.engine.ensureMembers(spec, setup, step());
    expect(await sandboxesOf(owner)).toEqual(expect.arrayContaining(before));
    await Promise.all(["web", "alone"].map((name) => untilListening(owner, name)));
    return { owner, address };
  };

  beforeAll(async () => {
    lifetime.own(await carryAddresses([metadataAddress, privateAddress]));
    allowedPort = lifetime.own(await listenEverywhere()).port;
    refusedPort = lifetime.own(await listenEverywhere()).port;
    outside = lifetime.own(
      await startOutside({
        addresses: Object.values(outsideRanges),
        ports: [outsidePort, 53],
      }),
    );
    const folder = await mkdtemp(join(tmpdir(), "oneloop-resolv-"));
    lifetime.defer(() => rm(folder, { recursive: true }));
    resolvConf = join(folder, "resolv.conf");
    await writeFile(resolvConf, `nameserver ${resolverAddress}\n`);
    const allowNet = [`${privateAddress}:${allowedPort}`];
    closed = lifetime.own(await startTestEngine({ allowNet, resolvConf }));
    [one, other] = await Promise.all([open(closed), open(closed)]);
  });
  afterAll(() => lifetime[Symbol.asyncDispose]());

  /** From inside a service, as root. */
  const dial = async (service: string, host: string, port: number): Promise<string> => {
    const command = `exec 3<>/dev/tcp/${host}/${port} && cat <&3`;
    const { output } = await inside(one.owner, service, ["timeout", "5", "bash", "-c", command]);
    return /reached|refused|unreachable/i.exec(output)?.[0].toLowerCase() ?? `nothing: ${output}`;
  };

  /** The same by two protocols and two users, of several addresses in one go. */
  const probe = async (targets: readonly string[], user = "0:0"): Promise<string[]> => {
    const command = ["python3", "-c", prober, ...targets];
    const { output } = await insideAs(user, { owner: one.owner, service: "dev" }, command);
    return output.trim().split("\n");
  };
  const users = [
    ["root", "0:0"],
    ["the image's user", "1000:1000"],
  ] as const;

  it.each(users)("reaches the internet, as %s", async (_name, user) => {
    const targets = [`tcp ${outside.publicAddress} ${outsidePort}`];
    targets.push(`udp ${outside.publicAddress} ${outsidePort}`);
    expect(await probe(targets, user)).toEqual(["reached", "reached"]);
  });

  it.each(users)(
    "is refused by what is beyond this machine and private, as %s",
    async (_n, user) => {
      const targets = Object.values(outsideRanges).flatMap((address) =>
        ["tcp", "udp"].map((kind) => `${kind} ${address} ${outsidePort}`),
      );
      expect(await probe(targets, user)).toEqual(targets.map(() => "refused"));
    },
  );

  it("reaches the resolver, and nothing of it but its names", async () => {
    const at = (kind: string, port: number): string => `${kind} ${resolverAddress} ${port}`;
    const targets = [at("tcp", 53), at("udp", 53), at("tcp", outsidePort), at("udp", outsidePort)];
    expect(await probe(targets)).toEqual(["reached", "reached", "refused", "refused"]);
    // It is the resolver's address that is open, not the port.
    expect(await probe([`udp ${outsideRanges.private192} 53`])).toEqual(["refused"]);
  });

  it.each(users)("is refused by the host, whatever address it has, as %s", async (_name, user) => {
    const hosts = [hostPublicAddress, metadataAddress, machineAddress(), privateAddress];
    const targets = hosts.map((host) => `tcp ${host} ${refusedPort}`);
    expect(await probe(targets, user)).toEqual(hosts.map(() => "refused"));
  });

  it("reaches its own services by name, and over both loopbacks", async () => {
    for (const host of ["127.0.0.1", "::1", "web", "dev", "localhost", "alone"]) {
      expect(await dial("dev", host, 8080), host).toBe("reached");
    }
    expect(await dial("alone", "web", 8080)).toBe("reached");
  });

  it("reaches what the operator allowed, and nothing beside it", async () => {
    expect(await dial("dev", privateAddress, allowedPort)).toBe("reached");
    expect(await dial("dev", privateAddress, refusedPort)).toBe("refused");
  });

  it.each(["dev", "alone"])("is refused by the host's own addresses from %s", async (from) => {
    const gateways = await Promise.all([gatewayOf(one.owner), gatewayOf(other.owner)]);
    for (const host of [metadataAddress, machineAddress(), "172.17.0.1", ...gateways]) {
      expect(await dial(from, host, refusedPort), host).toBe("refused");
    }
  });

  it("is refused by another workspace", async () => {
    expect(await dial("dev", other.address.host, 8080)).toBe("refused");
    expect(await dial("dev", other.address.host, supervisorPort)).toBe("refused");
  });

  it("cannot reach its supervisor from inside, over any address", async () => {
    for (const host of ["127.0.0.1", "::1", one.address.host, "127.8.8.8"]) {
      expect(await dial("dev", host, supervisorPort), host).toBe("refused");
    }
    expect(await dial("alone", "dev", supervisorPort)).toBe("refused");
  });

  it("lets the host reach the supervisor", async () => {
    expect(await hello(one.address)).toMatchObject({ workspace: one.owner.id });
  });

  it("refuses the host's users every other port, which the port proxy would ask who they are", async () => {
    for (const { address } of [one, other]) {
      const socket = connect(8080, address.host);
      await expect(once(socket, "connect")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    }
  });

  it("leaves its members no way to see or change the rules", async () => {
    const flush = await inside(one.owner, "tools", ["iptables-nft", "-F", "OUTPUT"]);
    expect(flush.exitCode).not.toBe(0);
    expect(flush.output).toMatch(/permission denied|not permitted/i);
    expect(await dial("dev", metadataAddress, refusedPort)).toBe("refused");
  });

  it("has neither NET_RAW nor NET_ADMIN in any member", async () => {
    for (const name of ["dev", "web", "alone", "tools"]) {
      const { output } = await inside(one.owner, name, ["cat", "/proc/1/status"]);
      const bounding = BigInt(`0x${/CapBnd:\s*([0-9a-f]+)/.exec(output)?.[1] ?? "f".repeat(16)}`);
      for (const bit of [12n, 13n]) expect((bounding >> bit) & 1n, `${name}: ${bit}`).toBe(0n);
    }
    const packet = "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)";
    const raw = await inside(one.owner, "dev", ["python3", "-c", packet]);
    expect(raw.output).toMatch(/PermissionError/);
  });

  it("has no IPv6 beyond the loopback, and root cannot make it", async () => {
    const script =
      "for i in all eth0; do echo 0 > /proc/sys/net/ipv6/conf/$i/disable_ipv6; done; ip -6 addr add fd00::2/64 dev eth0";
    const made = await inside(one.owner, "dev", ["sh", "-c", script]);
    expect(made.exitCode, made.output).not.toBe(0);
    const { output } = await inside(one.owner, "dev", ["cat", "/proc/net/if_inet6"]);
    expect(output.trim().split("\n")).toHaveLength(1);
    expect(output).toMatch(/\blo$/m);
  });

  it("is refused by the rules alone: the same probes without them", async () => {
    await using unruled = await startTestEngine({ isolation: "off" });
    const before = one;
    one = await open(unruled);
    try {
      expect(await dial("dev", metadataAddress, refusedPort)).toBe("reached");
      expect(await dial("dev", machineAddress(), refusedPort)).toBe("reached");
      const beyond = Object.values(outsideRanges).flatMap((address) =>
        ["tcp", "udp"].map((kind) => `${kind} ${address} ${outsidePort}`),
      );
      const targets = [...beyond, `tcp ${hostPublicAddress} ${refusedPort}`];
      expect(await probe(targets)).toEqual(targets.map(() => "reached"));
    } finally {
      one = before;
    }
  });
});

async function gatewayOf(owner: Owner): Promise<string> {
  const networks = await docker.listNetworks({
    filters: { label: [`oneloop.workspace=${owner.id}`] },
  });
  return networks[0]?.IPAM?.Config?.[0]?.Gateway ?? "";
}

async function untilListening(owner: Owner, service: string): Promise<void> {
  const container = docker.getContainer(await containerOf(owner, service));
  const log = await container.logs({ stdout: true, stderr: true, follow: true });
  for await (const chunk of log) if (String(chunk).includes("listening")) return;
  throw new Error(`${service} ended before it listened`);
}
