import { request as httpRequest, type RequestOptions } from "node:http";
import { connect } from "node:net";
import { Readable } from "node:stream";
import type { FetchLike } from "eventsource";
import { peerUids } from "./listener.ts";

/**
 * Decides about the users whose program is at the other end of a connection, before anything is
 * said to it; rejects where one of them shall hear nothing. None: it is nobody's of this machine.
 */
export type Guard = (uids: readonly number[]) => Promise<void>;

export type CreateConnection = NonNullable<RequestOptions["createConnection"]>;

/** A new connection for each request, held only when the guard has let it pass. */
export function guardedConnection(guard: Guard): CreateConnection {
  return (options, done) => {
    const socket = connect({ host: options.host ?? "127.0.0.1", port: Number(options.port ?? 80) });
    const fail = (error: Error): void => {
      socket.destroy();
      done(error, socket);
    };
    socket.once("error", fail);
    socket.once("connect", () => {
      void (async () => {
        try {
          const uids = await peerUids(socket);
          if (uids !== null) await guard(uids);
          socket.off("error", fail);
          done(null, socket);
        } catch (error) {
          socket.off("error", fail);
          fail(error instanceof Error ? error : new Error(String(error)));
        }
      })();
    });
    return undefined;
  };
}

/** As much of `fetch` as an EventSource uses, over connections of one's own making. */
export function streamFetch(createConnection: CreateConnection): FetchLike {
  return (input, { headers, signal }) =>
    new Promise((resolve, reject) => {
      const url = new URL(input);
      const asked = httpRequest(
        url,
        { headers, signal: signal as AbortSignal, createConnection },
        (response) => {
          resolve({
            body: Readable.toWeb(response) as Response["body"],
            url: url.href,
            status: response.statusCode ?? 0,
            redirected: false,
            headers: {
              get: (name) => [response.headers[name.toLowerCase()] ?? null].flat()[0] ?? null,
            },
          });
        },
      );
      asked.once("error", reject);
      asked.end();
    });
}
