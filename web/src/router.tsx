import {
  Outlet,
  createRootRoute,
  createRoute,
  createRouter,
  redirect,
} from "@tanstack/react-router";
import { Toasts } from "./components/toasts.tsx";
import { queryClient, trpc } from "./lib/api.ts";
import { isNotSignedIn } from "./lib/errors.ts";
import { NotFoundPage, ProblemPage } from "./pages/problem.tsx";
import { SignInPage } from "./pages/sign-in.tsx";
import { WorkspacesPage } from "./pages/workspaces.tsx";

const root = createRootRoute({
  component: () => (
    <>
      <Outlet />
      <Toasts />
    </>
  ),
  notFoundComponent: NotFoundPage,
  errorComponent: ProblemPage,
});

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  component: SignInPage,
});

/** Everything below it is for signed-in users; others are sent to `/sign-in`. */
const signedIn = createRoute({
  getParentRoute: () => root,
  id: "signed-in",
  beforeLoad: async () => {
    try {
      await queryClient.ensureQueryData(trpc.auth.me.queryOptions());
    } catch (error) {
      if (isNotSignedIn(error)) throw redirect({ to: "/sign-in" });
      throw error;
    }
  },
});

const workspaces = createRoute({
  getParentRoute: () => signedIn,
  path: "/",
  component: WorkspacesPage,
});

const workspace = createRoute({
  getParentRoute: () => signedIn,
  path: "/workspaces/$name",
  validateSearch: (search: Record<string, unknown>): { terminal?: string } =>
    typeof search["terminal"] === "string" ? { terminal: search["terminal"] } : {},
}).lazy(() => import("./pages/workspace.lazy.tsx").then(({ lazyRoute }) => lazyRoute));

export const router = createRouter({
  routeTree: root.addChildren([signIn, signedIn.addChildren([workspaces, workspace])]),
  defaultPreload: "intent",
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
