import { MutationCache, QueryClient } from "@tanstack/react-query";
import {
  createTRPCClient,
  httpBatchLink,
  httpLink,
  httpSubscriptionLink,
  splitLink,
} from "@trpc/client";
import type { inferRouterOutputs } from "@trpc/server";
import { createTRPCOptionsProxy } from "@trpc/tanstack-react-query";
import type { AppRouter } from "../../../server/api/router.ts";
import { wireError } from "./errors.ts";
import { showToast } from "./toasts.ts";

export type Outputs = inferRouterOutputs<AppRouter>;

declare module "@tanstack/react-query" {
  interface Register {
    /** `quiet`: the component shows this mutation's errors itself. */
    mutationMeta: { quiet?: boolean };
  }
}

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // Subscriptions say what has changed; nothing goes stale by the clock.
      staleTime: Number.POSITIVE_INFINITY,
      retry: false,
    },
  },
  mutationCache: new MutationCache({
    onError: (error, ...[, , mutation]) => {
      if (mutation.meta?.quiet !== true) showToast("error", wireError(error).message);
    },
  }),
});

const url = "/trpc";

/** Paths that take long, and are asked for alone: the answers of a batch come with its last one. */
const slow: ReadonlySet<string> = new Set(["services.driftPage"]);

const client = createTRPCClient<AppRouter>({
  links: [
    splitLink({
      condition: (operation) => operation.type === "subscription",
      true: httpSubscriptionLink({ url }),
      false: splitLink({
        condition: ({ path }) => slow.has(path),
        true: httpLink({ url }),
        false: httpBatchLink({ url }),
      }),
    }),
  ],
});

/** Query, mutation and subscription options of every procedure. */
export const trpc = createTRPCOptionsProxy<AppRouter>({ client, queryClient });
