import { tracked } from "@trpc/server";
import { z } from "zod";
import type { ServiceLogsUpdate } from "../../protocol/service-logs.ts";
import { readAllLogs } from "../../workspaces/all-logs.ts";
import { router, signedIn } from "../trpc.ts";
import { onWorkspace } from "./inputs.ts";

/** Far above every environment. */
const maxServices = 1000;
/** Beyond what the engine keeps of a service. */
const maxTailLines = 1_000_000;
/** Less would show nothing, and read the engine's log again all the time. */
const minBytesPerSecond = 16 * 1024;

/** A workspace, and the environment that it is compared with; null: the production that it mirrors. */
const compared = onWorkspace.extend({
  environment: z.string().min(1).max(100).nullable().default(null),
  project: z.string().min(1).max(255).nullable().default(null),
});

export const services = router({
  /** What several services print, in one subscription; goes on after a break where it was. */
  logs: signedIn
    .input(
      onWorkspace.extend({
        /** Null: all. */
        services: z.array(z.string().min(1).max(63)).max(maxServices).nullable().default(null),
        follow: z.boolean().default(false),
        /** Of each service. */
        tail: z.number().int().min(0).max(maxTailLines).nullable().default(null),
        /** Of each service that is followed; what comes faster is skipped. Null: all of it. */
        bytesPerSecond: z.number().int().min(minBytesPerSecond).nullable().default(null),
        lastEventId: z.string().max(8000).nullish(),
      }),
    )
    .subscription(async function* ({ input, ctx }) {
      const { workspace, lastEventId, ...wish } = input;
      const { user, signal } = ctx;
      const { workspaces } = ctx.services;
      const ofWorkspace = {
        summary: () => workspaces.summary(user, workspace),
        watch: (until: AbortSignal) =>
          workspaces.watch(user, workspace, { afterEvent: Number.MAX_SAFE_INTEGER, signal: until }),
        log: (service: string, request: Parameters<typeof workspaces.log>[2]) =>
          workspaces.log(user, { name: workspace, service }, request),
      };
      const request = { ...wish, after: lastEventId ?? null, signal };
      for await (const { place, update } of readAllLogs(ofWorkspace, request)) {
        yield tracked<ServiceLogsUpdate>(place, update);
      }
    }),

  /** How what a workspace runs differs from the production that it mirrors, or from an environment. */
  drift: signedIn.input(compared).query(async ({ input, ctx }) => {
    const { workspace, ...other } = input;
    return (await ctx.services.workspaces.drift(ctx.user, workspace, other)).report;
  }),

  /** The same with the lines that the findings name; null where there is nothing to compare with. */
  driftPage: signedIn.input(compared).query(({ input, ctx }) => {
    const { workspace, ...other } = input;
    return ctx.services.workspaces.driftIfAny(ctx.user, workspace, other);
  }),
});
