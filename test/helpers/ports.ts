import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";

/** A TCP port of 127.0.0.1 that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** An address of this machine that is not loopback: containers can be let through to it. */
export function machineAddress(): string {
  const all = Object.values(networkInterfaces()).flat();
  const found = all.find((one) => one?.family === "IPv4" && !one.internal);
  if (found === undefined) throw new Error("this machine has no IPv4 address beside loopback");
  return found.address;
}
