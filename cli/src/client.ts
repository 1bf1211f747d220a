import {
  createTRPCClient,
  httpBatchLink,
  httpSubscriptionLink,
  splitLink,
  type TRPCClient,
} from "@trpc/client";
import { EventSource, type FetchLike } from "eventsource";
import type { AppRouter } from "../../server/api/router.ts";
import { guardedConnection, streamFetch, type Guard } from "./guarded-connection.ts";
import { httpFetch } from "./http-fetch.ts";

/**
 * An event that was received with the one that made the reader leave is for nobody any more: tRPC's
 * reader would close what is closed, and that throws where nobody can catch it.
 */
export class QuietEventSource extends EventSource {
  override dispatchEvent(event: Event): boolean {
    if (this.readyState === EventSource.CLOSED && event.type !== "error") return true;
    return super.dispatchEvent(event);
  }
}

/** A module of its own, so that the bundle takes of its libraries what is used here and no more. */
export function createClient(
  url: string,
  token: string | null,
  guard?: Guard,
): TRPCClient<AppRouter> {
  const connection = guard === undefined ? undefined : guardedConnection(guard);
  const stream: FetchLike = connection === undefined ? fetch : streamFetch(connection);
  const endpoint = `${url}/trpc`;
  const authorization: Record<string, string> =
    token === null ? {} : { authorization: `Bearer ${token}` };
  return createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: ({ type }) => type === "subscription",
        true: httpSubscriptionLink({
          url: endpoint,
          EventSource: QuietEventSource,
          eventSourceOptions: {
            fetch: (input, init) =>
              stream(input, { ...init, headers: { ...init.headers, ...authorization } }),
          },
        }),
        // Not httpLink: it asks of each input whether it is a FormData, and Node loads undici then.
        // One call in each request: none waits for a slower one.
        false: httpBatchLink({
          maxItems: 1,
          url: endpoint,
          headers: authorization,
          fetch: (input, init) => httpFetch(input as URL | string, init, connection),
        }),
      }),
    ],
  });
}
