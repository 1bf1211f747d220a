import { tracked } from "@trpc/server";
import { z } from "zod";
import { OneloopError } from "../protocol/errors.ts";
import type { WorkspaceUpdate } from "../protocol/workspace.ts";
import { anyone, router, signedIn } from "./trpc.ts";

/** A workspace by its name or its id. */
const workspace = z.string().min(1).max(64);
const onWorkspace = z.object({ workspace });

const auth = router({
  /**
   * Gives a one-time code for a session (a cookie) or a token (for the command line). The code is
   * spent by this.
   */
  exchange: anyone
    .input(
      z.object({
        code: z.string().min(1).max(200),
        kind: z.enum(["session", "token"]),
        name: z.string().max(100).default(""),
      }),
    )
    .mutation(async ({ input, ctx }) => {
      const { secret, user } = await ctx.services.accounts.exchange(input);
      if (input.kind === "token") return { token: secret, user };
      ctx.setSession(secret);
      return { token: null, user };
    }),

  me: signedIn.query(({ ctx }) => ({ id: ctx.user.id, name: ctx.user.name, role: ctx.user.role })),

  signOut: signedIn.mutation(async ({ ctx }) => {
    await ctx.services.accounts.revoke(ctx.user.tokenId);
    ctx.setSession(null);
    return {};
  }),
});

const workspaces = router({
  open: signedIn
    .input(z.object({ contextUrl: z.string().min(1).max(4000) }))
    .mutation(({ input, ctx }) => ctx.services.workspaces.open(ctx.user, input)),

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
    .subscription(async function* ({ input, ctx, signal }) {
      const after = Math.max(input.afterEvent, Number(input.lastEventId ?? 0) || 0);
      let last = after;
      const updates = ctx.services.workspaces.watch(ctx.user, input.workspace, {
        afterEvent: after,
        signal: signal ?? AbortSignal.abort(),
      });
      for await (const update of updates) {
        if (update.kind === "event") last = update.event.id;
        yield tracked<WorkspaceUpdate>(String(last), update);
      }
    }),

  /** The whole list, again at every change of it. */
  watchList: signedIn.subscription(async function* ({ ctx, signal }) {
    yield* ctx.services.workspaces.watchList(ctx.user, signal ?? AbortSignal.abort());
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

  /** Refuses with `unsaved-work` while something would be lost, unless `force` is true. */
  delete: signedIn
    .input(onWorkspace.extend({ force: z.boolean().default(false) }))
    .mutation(async ({ input, ctx }) => {
      await ctx.services.workspaces.delete(ctx.user, input.workspace, { force: input.force });
      return {};
    }),
});

const terminals = router({
  list: signedIn.input(onWorkspace).query(async ({ input, ctx }) => {
    const { owner } = await ctx.services.workspaces.runningOwner(ctx.user, input.workspace);
    return ctx.services.terminals.list({ owner, actor: ctx.user.id });
  }),

  create: signedIn
    .input(
      onWorkspace.extend({
        cols: z.number().int().min(1).max(2000).default(80),
        rows: z.number().int().min(1).max(1000).default(24),
      }),
    )
    .mutation(async ({ input, ctx }) => {
      const { owner } = await ctx.services.workspaces.runningOwner(ctx.user, input.workspace);
      const size = { cols: input.cols, rows: input.rows };
      return ctx.services.terminals.create({ owner, actor: ctx.user.id }, size);
    }),

  close: signedIn
    .input(onWorkspace.extend({ terminal: z.string().min(1).max(64) }))
    .mutation(async ({ input, ctx }) => {
      const { owner } = await ctx.services.workspaces.runningOwner(ctx.user, input.workspace);
      await ctx.services.terminals.close({ owner, actor: ctx.user.id }, input.terminal);
      return {};
    }),
});

const keys = router({
  list: signedIn.query(({ ctx }) => ctx.services.accounts.listKeys(ctx.user.id)),

  /** @param publicKey a line of an OpenSSH `.pub` file. */
  add: signedIn
    .input(
      z.object({ name: z.string().max(100).default(""), publicKey: z.string().min(1).max(20_000) }),
    )
    .mutation(({ input, ctx }) => ctx.services.accounts.addKey(ctx.user.id, input)),

  remove: signedIn
    .input(z.object({ id: z.string().min(1).max(64) }))
    .mutation(async ({ input, ctx }) => {
      if (!(await ctx.services.accounts.removeKey(ctx.user.id, input.id))) {
        throw new OneloopError("not-found", "There is no such key. `loop keys list` shows yours.");
      }
      return {};
    }),
});

export const appRouter = router({
  auth,
  workspaces,
  terminals,
  keys,
  config: anyone.query(({ ctx }) => ctx.services.config),
});

export type AppRouter = typeof appRouter;
