import { once } from "node:events";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";

/**
 * Below those that the kernel takes for connections (32768, ip(7)), and a stretch for each process of
 * tests, by its turn: nobody else takes it between the answer and its use.
 */
const firstPort = 20_000;
const portsOfEach = 2000;
const stretches = 6;
let next = process.pid;

/** A TCP port of this machine that nobody listens on just now, and that no one else is given. */
export async function freePort(): Promise<number> {
  const stretch = Number(process.env["VITEST_POOL_ID"] ?? 0) % stretches;
  for (let tries = 0; tries < portsOfEach; tries += 1) {
    next += 1;
    const port = firstPort + stretch * portsOfEach + (next % portsOfEach);
    const server = createServer().listen(port, "127.0.0.1");
    const free = await once(server, "listening").then(
      () => true,
      () => false,
    );
    if (!free) continue;
    server.close();
    await once(server, "close");
    return port;
  }
  throw new Error("this machine has no free port for a test");
}

/** An address of this machine that is not loopback: containers can be let through to it. */
export function machineAddress(): string {
  const all = Object.values(networkInterfaces()).flat();
  const found = all.find((one) => one?.family === "IPv4" && !one.internal);
  if (found === undefined) throw new Error("this machine has no IPv4 address beside loopback");
  return found.address;
}
