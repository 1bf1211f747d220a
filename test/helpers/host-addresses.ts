import { createServer } from "node:net";
import { systemExecer } from "../../server/util/execer.ts";
import { listening } from "./listening.ts";

/**
 * Puts addresses on this machine until it is disposed: a test that must not be reached from inside
 * never probes an address of somebody else.
 */
export async function carryAddresses(addresses: readonly string[]): Promise<AsyncDisposable> {
  const ip = async (verb: "add" | "del", address: string): Promise<void> => {
    const args = ["address", verb, `${address}/32`, "dev", "lo"];
    const { exitCode, stderr } = await systemExecer.run("ip", args);
    // A killed run of this test left it.
    if (exitCode !== 0 && !/exists|already/.test(stderr))
      throw new Error(`ip ${verb} ${address}: ${stderr}`);
  };
  for (const address of addresses) await ip("add", address);
  return {
    [Symbol.asyncDispose]: async () => {
      for (const address of addresses) await ip("del", address);
    },
  };
}

/** A TCP listener on every address of this machine that greets with `reached`. */
export async function listenEverywhere(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end("reached\n");
  });
  return listening(server, { host: "0.0.0.0" });
}
