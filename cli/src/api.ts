import type { TRPCClient } from "@trpc/client";
import type { Guard } from "./guarded-connection.ts";
import type { AppRouter } from "../../server/api/router.ts";

export type Api = TRPCClient<AppRouter>;

/**
 * A client of the control plane at `url`. What it needs is loaded here and not at the start, so
 * that `--help` and `--version` do not wait for it.
 *
 * @param guard looks at who is at the other end of each connection before anything is said there.
 */
export async function createApi(url: string, token: string | null, guard?: Guard): Promise<Api> {
  const { createClient } = await import("./client.ts");
  return createClient(url, token, guard);
}
