import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ListeningTable } from "../../../workspace-image/supervisor/listening.ts";
import { Watch, type WatchOptions } from "../../../workspace-image/supervisor/watch.ts";
import { SocketCount } from "../../../workspace-image/supervisor/socket-count.ts";
import { machineAddress } from "../../helpers/ports.ts";
import { testSupervisor } from "./harness.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-ports-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function listen(host: string): Promise<{ server: Server; port: number }> {
  const server = createServer().listen(0, host);
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

test.each(["127.0.0.1", "::1", "0.0.0.0", "::", machineAddress()])(
  "what listens on %s is told, and that it ended",
  async (host) => {
    await using supervisor = await testSupervisor();
    using control = await supervisor.control();
    await control.until(() => control.ports);
    const { server, port } = await listen(host);
    await control.untilPort(port);
    server.close();
    await control.untilNoPort(port);
  },
);

test("the first list comes at once, sorted, without the supervisor's own port", async () => {
  const { server, port } = await listen("127.0.0.1");
  await using supervisor = await testSupervisor();
  using control = await supervisor.control();
  await control.until(() => control.ports);
  const ports = control.ports?.map((each) => each.port) ?? [];
  expect(ports).toContain(port);
  expect(ports).not.toContain(supervisor.port);
  expect(ports).toEqual([...new Set(ports)].sort((a, b) => a - b));
  server.close();
});

test("a program's name is told; a socket that is not TCP, or that only sends, is none", async () => {
  await using supervisor = await testSupervisor();
  using control = await supervisor.control();
  const udp = createSocket("udp4").bind(0, "127.0.0.1");
  await once(udp, "listening");
  const script = `const s = require("node:net").createServer().listen(0, "127.0.0.1", () => console.log(s.address().port))`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  expect(await control.untilPort(Number(line))).toEqual({ port: Number(line), process: "node" });
  expect(control.ports?.some(({ port }) => port === udp.address().port)).toBe(false);
  child.kill();
  await control.untilNoPort(Number(line));
  udp.close();
});

const heading =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const line = (
  index: number,
  local: string,
  options: { state?: string; inode?: number; when?: string } = {},
) => {
  const { state = "0A", inode = 1000 + index, when = "00000000" } = options;
  const remote = local.includes(":") ? local.replace(/:.*/, ":0000") : "";
  return `${String(index).padStart(4)}: ${local} ${remote} ${state} 00000000:00000000 02:${when} 00000000     0        0 ${inode} 1 0000000000000000 100 0 0 10 0`.padEnd(
    149,
  );
};
const file = async (lines: readonly string[]): Promise<string> => {
  const path = join(folder, "tcp");
  await writeFile(path, `${[heading.padEnd(149), ...lines].join("\n")}\n`);
  return path;
};

test("what connections do is no change, however many there are", async () => {
  const listening = [line(0, "0100007F:1F90"), line(1, "00000000:0050")];
  const connections = (when: string) =>
    Array.from({ length: 200 }, (_, index) =>
      line(index + 2, "0100007F:C000", { state: "01", when }),
    );
  const path = await file([...listening, ...connections("00000100")]);
  using table = new ListeningTable(path, 8);
  expect(table.look()).toBe(true);
  expect(table.sockets).toEqual([
    { port: 8080, inode: 1000 },
    { port: 80, inode: 1001 },
  ]);
  await file([...listening, ...connections("00000200")]);
  expect(table.look()).toBe(false);
  await file([...listening.slice(0, 1), ...connections("00000200")]);
  expect(table.look()).toBe(true);
  expect(table.sockets).toEqual([{ port: 8080, inode: 1000 }]);
});

test("hundreds of listening sockets are read, over the borders of pages", async () => {
  const lines = Array.from({ length: 300 }, (_, index) =>
    line(index, `00000000:${(2000 + index).toString(16).toUpperCase().padStart(4, "0")}`),
  );
  using table = new ListeningTable(await file(lines), 8);
  table.look();
  expect(table.sockets.map(({ port }) => port)).toEqual(lines.map((_, index) => 2000 + index));
  expect(table.look()).toBe(false);
  await file([...lines, line(300, "00000000:0001")]);
  expect(table.look()).toBe(true);
  expect(table.sockets).toHaveLength(301);
});

test("Docker's name server, at another address of the loopback, is no program of a workspace", async () => {
  using v4 = new ListeningTable(
    await file([line(0, "0B00007F:ABCD"), line(1, "0100007F:0001"), line(2, "0200A8C0:0002")]),
    8,
  );
  v4.look();
  expect(v4.sockets.map(({ port }) => port)).toEqual([1, 2]);
});

test("addresses of IPv6, and those of IPv4 in its form", async () => {
  const path = await file([
    line(0, "00000000000000000000000001000000:0001"),
    line(1, "0000000000000000FFFF00000100007F:0002"),
    line(2, "0000000000000000FFFF00000B00007F:0003"),
    line(3, "00000000000000000000000000000000:0004"),
  ]);
  using table = new ListeningTable(path, 32);
  table.look();
  expect(table.sockets.map(({ port }) => port)).toEqual([1, 2, 4]);
});

test("the number of sockets shows that one came or went, and not what the machine does", async () => {
  const sockstat = (inuse: number, alloc: number): Promise<void> =>
    writeFile(
      join(folder, "sockstat"),
      `sockets: used ${alloc}\nTCP: inuse ${inuse} orphan 0 tw 0 alloc ${alloc} mem 1\n`,
    );
  await sockstat(3, 100);
  using count = new SocketCount(folder);
  expect(count.look()).toBe(true);
  expect(count.look()).toBe(false);
  await sockstat(3, 200);
  expect(count.look()).toBe(false);
  await sockstat(4, 200);
  expect(count.look()).toBe(true);
  using unknown = new SocketCount(join(folder, "none"));
  expect([unknown.look(), unknown.look()]).toEqual([true, true]);
});

const never = 1e9;
const watchOf = (options: Partial<WatchOptions>) =>
  new Watch({ ownPort: () => 1, pollMs: 10, ...options });

/** Starts it; what this gives resolves when a port was told of. */
function begin(watch: Watch): (port: number) => Promise<void> {
  let onPorts = (): void => undefined;
  watch.start(() => onPorts());
  return (port) =>
    new Promise((resolve) => {
      onPorts = () => {
        if (watch.ports.some((each) => each.port === port)) resolve();
      };
      onPorts();
    });
}

test("at rest, what begins to listen is noticed all the same", async () => {
  for (const host of ["127.0.0.1", "::1"]) {
    using watch = watchOf({ alertMs: 0, restMs: never });
    const told = begin(watch);
    const { server, port } = await listen(host);
    await told(port);
    server.close();
  }
});

test("a listener that takes another's place changes no number, and is noticed", async () => {
  await writeFile(join(folder, "sockstat"), "TCP: inuse 1\n");
  for (const options of [
    { alertMs: never, restMs: never },
    { alertMs: 0, restMs: 50 },
  ]) {
    await file([line(0, "0100007F:0100")]);
    using watch = watchOf({ ...options, procNet: folder });
    const told = begin(watch);
    await told(0x100);
    await file([line(0, "0100007F:0200")]);
    await told(0x200);
  }
});

test("a kernel without IPv6 has no such file", () => {
  using table = new ListeningTable(join(folder, "none"), 32);
  expect(table.look()).toBe(false);
  expect(table.sockets).toEqual([]);
});
