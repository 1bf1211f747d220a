import { z } from "zod";
import { OneloopError } from "../../protocol/errors.ts";
import { router, signedIn } from "../trpc.ts";
import { byId } from "./inputs.ts";

export const keys = router({
  list: signedIn.query(({ ctx }) => ctx.services.accounts.listKeys(ctx.user.id)),

  /** @param publicKey a line of an OpenSSH `.pub` file. */
  add: signedIn
    .input(
      z.object({ name: z.string().max(100).default(""), publicKey: z.string().min(1).max(20_000) }),
    )
    .mutation(({ input, ctx }) => ctx.services.accounts.addKey(ctx.user.id, input)),

  /** A one-time code that signs in by ssh without a key, where the operator allows it. */
  code: signedIn.mutation(({ ctx }) => ctx.services.sshCodes.issue(ctx.user)),

  remove: signedIn.input(byId).mutation(async ({ input, ctx }) => {
    if (!(await ctx.services.accounts.removeKey(ctx.user.id, input.id))) {
      throw new OneloopError("not-found", "There is no such key. `loop keys list` shows yours.");
    }
    return {};
  }),
});
