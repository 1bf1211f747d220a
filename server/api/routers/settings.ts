import { z } from "zod";
import { router, signedIn } from "../trpc.ts";
import { byId } from "./inputs.ts";

const oneLine = /^[^\p{Cc}]*$/u;

/** One line of text; null takes it away. */
const line = (maxLength: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(maxLength)
    .regex(oneLine, "one line, without control characters")
    .nullable();

export const profile = router({
  get: signedIn.query(({ ctx }) => ctx.services.settings.profile(ctx.user.id)),

  /** What is not given stays as it is. */
  update: signedIn
    .input(
      z.object({
        // git takes these characters out of a name or an address by itself.
        commitName: line(200)
          .refine((name) => !/[<>]/.test(name ?? ""), "a name without < and >")
          .optional(),
        commitEmail: line(200)
          .refine((email) => /^[^\s<>@]+@[^\s<>@]+$/.test(email ?? "a@b"), "an e-mail address")
          .optional(),
        dotfilesUrl: line(1000).optional(),
      }),
    )
    .mutation(({ input, ctx }) => {
      const { commitName, commitEmail, dotfilesUrl } = input;
      return ctx.services.settings.setProfile(ctx.user.id, {
        ...(commitName === undefined ? {} : { commitName }),
        ...(commitEmail === undefined ? {} : { commitEmail }),
        ...(dotfilesUrl === undefined ? {} : { dotfilesUrl }),
      });
    }),
});

export const credentials = router({
  list: signedIn.query(({ ctx }) => ctx.services.settings.listCredentials(ctx.user.id)),

  /** In the place of what was stored for this host. */
  set: signedIn
    .input(
      z.object({
        host: z.string().min(1).max(300),
        username: z.string().min(1).max(200).regex(oneLine),
        /** A password or, better, a token of that host; for ssh a private key, without a passphrase. */
        secret: z.string().min(1).max(10_000),
      }),
    )
    .mutation(({ input, ctx }) => ctx.services.settings.setCredential(ctx.user.id, input)),

  remove: signedIn.input(byId).mutation(async ({ input, ctx }) => {
    await ctx.services.settings.removeCredential(ctx.user.id, input.id);
    return {};
  }),
});

export const variables = router({
  list: signedIn.query(({ ctx }) => ctx.services.settings.listVariables(ctx.user.id)),

  /** In the place of the variable of this name and pattern. */
  set: signedIn
    .input(
      z.object({
        name: z.string().min(1).max(200),
        value: z.string().max(100_000),
        /** Of repositories as `host/owner/repo`, with `*` for any text. */
        pattern: z.string().min(1).max(300).default("*"),
        secret: z.boolean().default(false),
      }),
    )
    .mutation(({ input, ctx }) => ctx.services.settings.setVariable(ctx.user.id, input)),

  remove: signedIn.input(byId).mutation(async ({ input, ctx }) => {
    await ctx.services.settings.removeVariable(ctx.user.id, input.id);
    return {};
  }),
});
