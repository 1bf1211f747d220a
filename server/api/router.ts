import { auth } from "./routers/auth.ts";
import { environments } from "./routers/environments.ts";
import { keys } from "./routers/keys.ts";
import { people, sessions } from "./routers/people.ts";
import { services } from "./routers/services.ts";
import { credentials, profile, variables } from "./routers/settings.ts";
import { terminals } from "./routers/terminals.ts";
import { workspaces } from "./routers/workspaces.ts";
import { anyone, router } from "./trpc.ts";

export const appRouter = router({
  auth,
  workspaces,
  services,
  environments,
  terminals,
  keys,
  profile,
  credentials,
  variables,
  sessions,
  people,
  config: anyone.query(({ ctx }) => ctx.services.config),
});

export type AppRouter = typeof appRouter;
