import type { TRPCClient } from "@trpc/client";
import type { AppRouter } from "../../server/api/router.ts";

export type Api = TRPCClient<AppRouter>;

/**
 * A client of the control plane at `url`. What it needs is loaded here and not at the start, so
 * that `--help` and `--version` do not wait for it.
 */
export async function createApi(url: string, token: string | null): Promise<Api> {
  const [{ createTRPCClient, httpBatchLink, httpSubscriptionLink, splitLink }, { EventSource }] =
    await Promise.all([import("@trpc/client"), import("eventsource")]);
  const endpoint = `${url}/trpc`;
  const authorization: Record<string, string> =
    token === null ? {} : { authorization: `Bearer ${token}` };
  return createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: ({ type }) => type === "subscription",
        true: httpSubscriptionLink({
          url: endpoint,
          EventSource,
          eventSourceOptions: {
            fetch: (input, init) =>
              fetch(input, { ...init, headers: { ...init.headers, ...authorization } }),
          },
        }),
        false: httpBatchLink({ url: endpoint, headers: authorization }),
      }),
    ],
  });
}
