import { z } from "zod";
import { router, signedIn, type ApiContext } from "../trpc.ts";
import { byId } from "./inputs.ts";

/** Where the web app takes a one-time code: after the #, so that no server's log has it. */
function signInLink(ctx: ApiContext, code: string): string {
  return `${ctx.services.config.publicUrl}/sign-in#${code}`;
}

/** Browsers' sessions and the command line's tokens of the one who asks. */
export const sessions = router({
  list: signedIn.query(({ ctx }) => ctx.services.people.sessions(ctx.user)),

  /** Ends it, with its live connections. */
  revoke: signedIn.input(byId).mutation(async ({ input, ctx }) => {
    await ctx.services.people.revoke(ctx.user, input.id);
    return {};
  }),
});

/** For the owner of the installation. */
export const people = router({
  list: signedIn.query(({ ctx }) => ctx.services.people.list(ctx.user)),

  add: signedIn
    .input(z.object({ name: z.string().min(1).max(40) }))
    .mutation(async ({ input, ctx }) => {
      const { id, code } = await ctx.services.people.add(ctx.user, input.name);
      return { id, link: signInLink(ctx, code) };
    }),

  /** Another one-time link; `id` may be the name. */
  invite: signedIn.input(byId).mutation(async ({ input, ctx }) => {
    const { code } = await ctx.services.people.invite(ctx.user, input.id);
    return { link: signInLink(ctx, code) };
  }),

  remove: signedIn.input(byId).mutation(async ({ input, ctx }) => {
    await ctx.services.people.remove(ctx.user, input.id);
    return {};
  }),
});
