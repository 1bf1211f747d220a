import { z } from "zod";
import type { Me } from "../../protocol/workspace.ts";
import { anyone, router, signedIn } from "../trpc.ts";

export const auth = router({
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

  me: signedIn.query(async ({ ctx }): Promise<Me> => {
    const { id, name, role } = ctx.user;
    return { id, name, role, profile: await ctx.services.settings.profile(id) };
  }),

  signOut: signedIn.mutation(async ({ ctx }) => {
    await ctx.services.accounts.revoke(ctx.user.id, ctx.user.tokenId);
    ctx.setSession(null);
    return {};
  }),
});
