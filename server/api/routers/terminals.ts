import { z } from "zod";
import { router, signedIn } from "../trpc.ts";
import { onWorkspace } from "./inputs.ts";

export const terminals = router({
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
