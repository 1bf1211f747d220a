import { tracked } from "@trpc/server";
import { z } from "zod";
import { PortVisibility, type WorkspaceUpdate } from "../../protocol/workspace.ts";
import { router, signedIn } from "../trpc.ts";
import { onWorkspace } from "./inputs.ts";

/** In UTF-16 code units; far above every real devfile. */
const maxDevfileLength = 200_000;

export const workspaces = router({
  open: signedIn
    .input(
      z.object({
        contextUrl: z.string().min(1).max(4000),
        /** Read instead of the repository's devfile; it changes nothing in the repository. */
        devfile: z.string().max(maxDevfileLength).nullable().default(null),
      }),
    )
    .mutation(({ input, ctx }) => ctx.services.workspaces.open(ctx.user, input)),

  /** The devfile that an open would read, to mend it; null where the repository has none. */
  devfile: signedIn
    .input(z.object({ contextUrl: z.string().min(1).max(4000) }))
    .query(({ input, ctx }) => ctx.services.workspaces.devfile(ctx.user, input.contextUrl)),

  list: signedIn.query(({ ctx }) => ctx.services.workspaces.list(ctx.user)),

  show: signedIn
    .input(onWorkspace)
    .query(({ input, ctx }) => ctx.services.workspaces.show(ctx.user, input.workspace)),

  /** The workspace's state first, then every event after `afterEvent` and every change. */
  watch: signedIn
    .input(
      onWorkspace.extend({
        afterEvent: z.number().int().min(0).default(0),
        lastEventId: z.string().nullish(),
      }),
    )
    .subscription(async function* ({ input, ctx }) {
      const after = Math.max(input.afterEvent, Number(input.lastEventId ?? 0) || 0);
      let last = after;
      const updates = ctx.services.workspaces.watch(ctx.user, input.workspace, {
        afterEvent: after,
        signal: ctx.signal,
      });
      for await (const update of updates) {
        if (update.kind === "event") last = update.event.id;
        yield tracked<WorkspaceUpdate>(String(last), update);
      }
    }),

  /** The whole list, again at every change of it. */
  watchList: signedIn.subscription(async function* ({ ctx }) {
    yield* ctx.services.workspaces.watchList(ctx.user, ctx.signal);
  }),

  start: signedIn
    .input(onWorkspace)
    .mutation(({ input, ctx }) => ctx.services.workspaces.start(ctx.user, input.workspace)),

  stop: signedIn
    .input(onWorkspace)
    .mutation(({ input, ctx }) => ctx.services.workspaces.stop(ctx.user, input.workspace)),

  unsavedWork: signedIn
    .input(onWorkspace)
    .query(({ input, ctx }) => ctx.services.workspaces.unsavedWork(ctx.user, input.workspace)),

  /** Asks the remote how many commits its branch has more; pulls nothing. */
  refresh: signedIn
    .input(onWorkspace)
    .mutation(({ input, ctx }) => ctx.services.workspaces.refresh(ctx.user, input.workspace)),

  /** Who may see a port; `service` null: the dev container's network. */
  setPortVisibility: signedIn
    .input(
      onWorkspace.extend({
        port: z.number().int().min(1).max(65_535),
        service: z.string().min(1).max(63).nullable().default(null),
        visibility: PortVisibility,
      }),
    )
    .mutation(({ input, ctx }) => {
      const { workspace, ...setting } = input;
      return ctx.services.workspaces.setPortVisibility(ctx.user, workspace, setting);
    }),

  /** Refuses with `unsaved-work` while something would be lost, unless `force` is true. */
  delete: signedIn
    .input(onWorkspace.extend({ force: z.boolean().default(false) }))
    .mutation(async ({ input, ctx }) => {
      await ctx.services.workspaces.delete(ctx.user, input.workspace, { force: input.force });
      return {};
    }),
});
