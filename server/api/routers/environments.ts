import { z } from "zod";
import { router, signedIn } from "../trpc.ts";

const name = z.string().min(1).max(100);
const project = z.string().min(1).max(255).nullable().default(null);

/** Engines that descriptions are compared with: for the owner to say, for everybody to compare. */
export const environments = router({
  list: signedIn.query(({ ctx }) => ctx.services.environments.list(ctx.user)),

  names: signedIn.query(({ ctx }) => ctx.services.environments.names()),

  add: signedIn
    .input(
      z.object({
        name,
        dockerHost: z.string().min(1).max(500),
        certificates: z.string().min(1).max(1000).nullable().default(null),
        project,
      }),
    )
    .mutation(({ input, ctx }) => ctx.services.environments.add(ctx.user, input)),

  remove: signedIn.input(z.object({ name })).mutation(async ({ input, ctx }) => {
    await ctx.services.environments.remove(ctx.user, input.name);
    return {};
  }),

  /** What runs there now; of variables, only the names. */
  model: signedIn
    .input(z.object({ name, project }))
    .query(({ input, ctx }) => ctx.services.environments.model(input)),
});
