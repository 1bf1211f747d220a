import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkLines } from "../../../cli/src/commands/doctor.ts";
import {
  checkAuthority,
  checkDisk,
  checkDoor,
  checkInotify,
  checkLeftovers,
  checkNode,
  checkResolvers,
  checkSsh,
  checkSsh2,
  checksOf,
} from "../../../cli/src/doctor/checks.ts";
import {
  checkBuilderMtu,
  checkEngine,
  checkLiveRestore,
  checkNetworkMtu,
} from "../../../cli/src/doctor/engine-checks.ts";
import { EngineClient } from "../../../cli/src/doctor/engine-client.ts";
import type { Facts, MachineFacts } from "../../../cli/src/doctor/facts.ts";
import { nameServers } from "../../../cli/src/doctor/proc.ts";
import { checkBridges, checkSubnets } from "../../../cli/src/doctor/subnet-check.ts";
import { parseRange } from "../../../server/util/ranges.ts";

const machine: MachineFacts = {
  git: "git version 2.39.5",
  unbuilt: [],
  ssh2Native: true,
  engine: {
    kind: "answers",
    version: "24.0.7",
    cgroup: "2",
    liveRestore: true,
    root: "/var/lib/docker",
    networks: [],
  },
  route: { device: "eth0", mtu: 1500 },
  builderMtu: 1500,
  resolvers: { own: ["192.0.2.53"], upstream: [] },
  inotify: { instances: 1024, watches: 524_288 },
  authorities: [],
  disks: [{ what: "Docker", path: "/var/lib/docker", freeBytes: 50 * 1024 ** 3 }],
  doors: [{ what: "SSH", variable: "ONELOOP_SSH_PORT", port: 7722, state: "ours" }],
  range: "10.213.0.0/16",
  routes: [],
  leftovers: { kind: "volumes", names: [] },
};
const facts: Facts = {
  node: "22.1.0",
  ssh: "OpenSSH_9.2p1",
  controlPlane: { url: "http://127.0.0.1:7700", version: "0.1.0" },
  machine,
};

test("a sound machine has nothing to mend", () => {
  const checks = checksOf(facts);
  expect(checks.map(({ status }) => status)).toEqual(checks.map(() => "ok"));
  expect(checks.length).toBeGreaterThan(14);
});

test("what is not well says what it means and what mends it", () => {
  const engine = { kind: "absent", socket: "/x" } as const;
  const problem = "No control plane answers.";
  const checks = checksOf({
    node: "18.0.0",
    ssh: null,
    controlPlane: { url: "http://127.0.0.1:7700", version: null, problem },
    machine: { ...machine, git: null, unbuilt: ["dist/web"], engine, ssh2Native: false },
  });
  const troubled = checks.filter(({ status }) => status !== "ok");
  expect(troubled.map(({ name }) => name)).toEqual([
    ...["Node", "ssh", "git", "Build", "ssh2", "Docker", "Control plane"],
  ]);
  for (const { means, mend } of troubled) {
    expect(means).toMatch(/\.$/);
    expect(mend).toBeTruthy();
  }
});

test("a control plane elsewhere needs only Node and ssh here", () => {
  expect(checksOf({ ...facts, machine: null }).map(({ name }) => name)).toEqual([
    ...["Node", "ssh", "Control plane"],
  ]);
});

test("old programs are told from new ones", () => {
  expect(["20.19.0", "22.0.0", "20.18.3"].map((one) => checkNode(one).status)).toEqual([
    ...["ok", "ok", "bad"],
  ]);
  expect(
    ["OpenSSH_7.6p1", "OpenSSH_10.0", "OpenSSH_7.4p1"].map((one) => checkSsh(one).status),
  ).toEqual(["ok", "ok", "warn"]);
  const engine = machine.engine.kind === "answers" ? machine.engine : null;
  if (engine === null) throw new Error("it answers");
  expect(checkEngine({ ...engine, version: "20.10.24+dfsg1" }).status).toBe("ok");
  expect(checkEngine({ ...engine, version: "19.03.1" }).status).toBe("bad");
});

test("who may not use Docker's socket is told how to", () => {
  expect(checkEngine({ kind: "forbidden", socket: "/s" }).mend).toContain("usermod -aG docker");
  expect(checkEngine({ kind: "stranger", socket: "/s" }).status).toBe("bad");
  expect(checkLiveRestore(false)).toMatchObject({ status: "warn" });
});

test("an MTU above the way out is found, for workspaces and for builds", () => {
  const route = { device: "eth0", mtu: 1400 };
  const network = { name: "oneloop-x", subnets: [], mtu: 1500, bridge: null, ours: true };
  expect(checkNetworkMtu(route, [network])).toMatchObject({
    status: "warn",
    detail: "eth0 has 1400, oneloop-x 1500",
  });
  expect(checkNetworkMtu(route, [{ ...network, ours: false }]).status).toBe("ok");
  expect(checkNetworkMtu(route, [{ ...network, mtu: 1400 }]).status).toBe("ok");
  expect(checkBuilderMtu(route, 1500)).toMatchObject({
    status: "warn",
    mend: expect.stringContaining('"mtu": 1400'),
  });
  expect(checkBuilderMtu(route, 1400).status).toBe("ok");
});

test("a resolver on the machine's own loopback is of no use to containers", () => {
  expect(checkResolvers({ own: ["127.0.0.53"], upstream: [] }).status).toBe("warn");
  expect(checkResolvers({ own: ["127.0.0.53"], upstream: ["192.0.2.53"] })).toMatchObject({
    status: "ok",
    detail: "192.0.2.53, behind systemd-resolved",
  });
});

const foreignNetwork = { name: "n", subnets: [], mtu: null, bridge: null, ours: false };

test("the room for workspaces is counted beside what other networks and routes take", () => {
  const network = (subnet: string) => ({ ...foreignNetwork, subnets: [subnet] });
  expect(checkSubnets("10.213.0.0/16", [], [])).toMatchObject({
    status: "ok",
    detail: "room for 4096 more workspaces in 10.213.0.0/16",
  });
  expect(checkSubnets("10.213.0.0/24", [network("10.213.0.0/28")], [])).toMatchObject({
    status: "warn",
    detail: expect.stringContaining("room for 15"),
  });
  expect(checkSubnets("10.213.0.0/24", [network("10.0.0.0/8")], []).status).toBe("bad");
  const vpn = { device: "tun0", network: "10.0.0.0/8" };
  expect(checkSubnets("10.213.0.0/16", [], [vpn])).toMatchObject({
    status: "warn",
    detail: "10.213.0.0/16 overlaps 10.0.0.0/8 (tun0)",
    means: expect.stringContaining("room for 4096 more"),
  });
  const all = { device: "tun0", network: "10.213.0.0/16" };
  expect(checkSubnets("10.213.0.0/16", [], [all]).status).toBe("bad");
  const office = { device: "eth1", network: "10.213.128.0/17" };
  expect(checkSubnets("10.213.0.0/16", [], [office])).toMatchObject({
    status: "warn",
    means: expect.stringContaining("room for 2048 more"),
  });
  const ways = [
    { device: "eth0", network: "0.0.0.0/0" },
    { device: "ws-0123456789ab", network: "10.213.0.16/28" },
  ];
  expect(checkSubnets("10.213.0.0/16", [], ways).detail).toContain("room for 4095");
});

test("a bridge that no network of Docker's has is named, with what removes it", () => {
  const route = (device: string, network: string) => ({ device, network });
  const range = "10.213.0.0/16";
  const left = route("ws-0123456789ab", "10.213.0.16/28");
  const used = route("br-ba9876543210", "10.213.0.32/28");
  // A network of Docker's over a bridge that was left has the same addresses.
  const networks = [
    { ...foreignNetwork, subnets: [used.network], bridge: used.device },
    { ...foreignNetwork, subnets: [left.network], bridge: "ws-aaaaaaaaaaaa" },
  ];
  expect(checkBridges(range, networks, [left, used])).toMatchObject({
    status: "warn",
    detail: "no network of Docker's: ws-0123456789ab (10.213.0.16/28)",
    mend: "sudo ip link delete ws-0123456789ab",
  });
  expect(checkBridges(range, [], [left, used]).mend).toBe(
    "sudo ip link delete ws-0123456789ab && sudo ip link delete br-ba9876543210",
  );
  // Not a network's name, and not in the range.
  const others = [route("br-lan", "10.213.0.64/28"), route("ws-0123456789ab", "172.20.0.0/16")];
  expect(checkBridges(range, networks, [used, ...others]).status).toBe("ok");
});

test("a bridge is known by the name that it was given, or by the engine's own", async () => {
  const networks = [
    { Options: { "com.docker.network.bridge.name": "docker0" }, Driver: "bridge" },
    { Options: null, Driver: "bridge" },
    { Options: null, Driver: "macvlan" },
  ].map((one) => ({ ...one, Id: "0123456789abcdef", Name: "n", Labels: null, IPAM: null }));
  const folder = await mkdtemp(join(tmpdir(), "oneloop-doctor-"));
  const socket = join(folder, "docker.sock");
  const answer = (path: string): unknown => (path === "/info" ? { ServerVersion: "24" } : networks);
  const server = createServer((request, response) =>
    response.end(JSON.stringify(answer(request.url ?? ""))),
  );
  await once(server.listen(socket), "listening");
  try {
    const found = await new EngineClient(`unix://${socket}`).look(null);
    expect(found.kind === "answers" && found.networks.map(({ bridge }) => bridge)).toEqual([
      ...["docker0", "br-0123456789ab", null],
    ]);
  } finally {
    server.close();
    await rm(folder, { recursive: true });
  }
});

test("limits, ports, disks, authorities and the native part each have a way to mend", () => {
  expect(checkInotify({ instances: 128, watches: 524_288 })).toMatchObject({
    status: "warn",
    mend: "sudo sysctl -w fs.inotify.max_user_instances=512",
  });
  expect(checkDoor({ what: "SSH", variable: "V", port: 7722, state: "taken" })).toMatchObject({
    status: "bad",
    mend: expect.stringContaining("export V=7723"),
  });
  const disk = (gib: number) => {
    return checkDisk({ what: "Docker", path: "/", freeBytes: gib * 1024 ** 3 }).status;
  };
  expect([20, 5, 0.5].map(disk)).toEqual(["ok", "warn", "bad"]);
  const states = ["good", "absent", "unreadable", "no-certificate"] as const;
  expect(
    states.map((state) => checkAuthority({ variable: "V", file: "/f", state }).status),
  ).toEqual(["ok", "bad", "bad", "bad"]);
  expect(checkSsh2(false).mend).toContain("npm rebuild ssh2");
});

test("leftovers are listed, and never said of what nobody can tell", () => {
  expect(checkLeftovers({ kind: "volumes", names: ["v1", "v2"] })).toMatchObject({
    status: "warn",
    detail: "volumes without a workspace: v1, v2",
    mend: "docker volume rm v1",
  });
  expect(checkLeftovers({ kind: "unknown", why: "Docker does not answer" }).status).toBe("ok");
});

test("ranges and resolvers are read as they are written", () => {
  expect(parseRange("10.213.0.5/16")).toEqual({
    first: 10 * 2 ** 24 + 213 * 2 ** 16,
    size: 65_536,
  });
  expect(["10.0.0.0", "10.0.0.256/8", "10.0.0.0/33", "::/0"].map(parseRange)).toEqual([
    ...[null, null, null, null],
  ]);
  expect(
    nameServers("# nameserver 1.1.1.1\nnameserver 127.0.0.53\nnameserver fe80::1%eth0\nx\n"),
  ).toEqual(["127.0.0.53", "fe80::1%eth0"]);
});

test("a check is a line, its meaning and its mend below it, without what steers the terminal", () => {
  const check = { name: "X", status: "bad", detail: "a\u001B[2Jb", means: "m", mend: "c" } as const;
  expect(checkLines(check, { width: null, coloured: false })).toEqual([
    ...["✗ X: ab", "    m", "    → c"],
  ]);
});
