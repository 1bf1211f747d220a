import { z } from "zod";
import { router, signedIn } from "../trpc.ts";
import { onWorkspace, ofService } from "./inputs.ts";

export const terminals = router({
  /** Of the dev service, and of those other services in which somebody has a terminal. */
  list: signedIn.input(onWorkspace).query(async ({ input, ctx }) => {
    const { owner } = await ctx.services.workspaces.runningPlace(ctx.user, input.workspace);
    return ctx.services.terminals.listAll({ owner, actor: ctx.user.id });
  }),

  create: signedIn
    .input(
      onWorkspace.extend({
        ...ofService,
        /** Of those that the workspace offers, by its name; null: a shell. */
        command: z.string().min(1).max(200).nullable().default(null),
        cols: z.number().int().min(1).max(2000).default(80),
        rows: z.number().int().min(1).max(1000).default(24),
      }),
    )
    .mutation(async ({ input, ctx }) => {
      const { workspace, service, command, ...size } = input;
      const { workspaces, terminals } = ctx.services;
      const place = await workspaces.runningPlace(ctx.user, workspace, service);
      const offered =
        command === null ? {} : await workspaces.terminalOf(ctx.user, workspace, command);
      return terminals.create({ ...place, actor: ctx.user.id }, { ...size, ...offered });
    }),

  close: signedIn
    .input(onWorkspace.extend({ ...ofService, terminal: z.string().min(1).max(64) }))
    .mutation(async ({ input, ctx }) => {
      const { workspace, service, terminal } = input;
      const place = await ctx.services.workspaces.runningPlace(ctx.user, workspace, service);
      await ctx.services.terminals.close({ ...place, actor: ctx.user.id }, terminal);
      return {};
    }),
});
