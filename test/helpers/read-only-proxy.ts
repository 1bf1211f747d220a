import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A way to the real engine that hands on nothing but GET, and remembers what was asked. */
export interface ReadOnlyProxy extends AsyncDisposable {
  /** For DOCKER_HOST. */
  readonly url: string;
  /** As `GET /containers/json`. */
  readonly asked: readonly string[];
  /** Bytes of requests beyond their heads: a GET has none. */
  bodyBytes(): number;
}

/** @param socketPath of the real engine */
export async function startReadOnlyProxy(socketPath: string): Promise<ReadOnlyProxy> {
  const folder = await mkdtemp(join(tmpdir(), "ol-look-"));
  const path = join(folder, "docker.sock");
  const asked: string[] = [];
  let bodyBytes = 0;
  const server = createServer((incoming, response) => {
    const { method = "", url = "" } = incoming;
    asked.push(`${method} ${url}`);
    incoming.on("data", (chunk: Buffer) => (bodyBytes += chunk.length));
    if (method !== "GET") {
      response.writeHead(405).end();
      return;
    }
    request({ socketPath, path: url, method, headers: { host: "docker" } }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, { "content-type": "application/json" });
      answer.pipe(response);
    })
      .on("error", () => response.destroy())
      .end();
  });
  server.on("upgrade", (incoming, socket) => {
    asked.push(`UPGRADE ${incoming.url}`);
    socket.destroy();
  });
  server.listen(path);
  await once(server, "listening");
  return {
    url: `unix://${path}`,
    asked,
    bodyBytes: () => bodyBytes,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
      await rm(folder, { recursive: true });
    },
  };
}
