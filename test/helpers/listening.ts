import { once } from "node:events";
import type { AddressInfo, ListenOptions, Server } from "node:net";

/** A server that listens, on a port of its own where none is named, until it is disposed. */
export async function listening(
  server: Server,
  options: ListenOptions = {},
): Promise<AsyncDisposable & { readonly port: number }> {
  server.listen({ host: "127.0.0.1", port: 0, ...options });
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, "close");
    },
  };
}
