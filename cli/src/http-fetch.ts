import { request as httpRequest } from "node:http";
import type { CreateConnection } from "./guarded-connection.ts";

/** What a tRPC link takes of a response; `status` is for `toFailure`. */
interface Answer {
  readonly ok: boolean;
  readonly status: number;
  json(): Promise<unknown>;
}

interface Asked {
  readonly method?: string;
  readonly headers?: unknown;
  readonly body?: unknown;
  readonly signal?: AbortSignal | null | undefined;
}

/**
 * As much of `fetch` as tRPC's links use. Node's own loads undici at its first call, which takes
 * longer than the whole of `loop list`; and it gives up after five minutes without an answer, while
 * an `open` waits for the first fetch of a large repository.
 */
export async function httpFetch(
  input: URL | string,
  { method = "GET", headers, body, signal }: Asked = {},
  createConnection?: CreateConnection,
): Promise<Answer> {
  const url = new URL(input);
  // TLS is loaded where it is spoken: most control planes are on this machine.
  const request = url.protocol === "https:" ? (await import("node:https")).request : httpRequest;
  return new Promise((resolve, reject) => {
    const asked = request(
      url,
      {
        method,
        headers: (headers ?? {}) as Record<string, string>,
        ...(signal ? { signal } : {}),
        ...(createConnection === undefined ? {} : { createConnection }),
      },
      (response) => {
        const status = response.statusCode ?? 0;
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.once("error", reject);
        response.once("end", () => {
          resolve({
            ok: status >= 200 && status < 300,
            status,
            json: async () => JSON.parse(text) as unknown,
          });
        });
      },
    );
    asked.once("error", reject);
    asked.end(typeof body === "string" ? body : undefined);
  });
}
