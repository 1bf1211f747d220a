import {
  Outlet,
  createRootRoute,
  createRoute,
  createRouter,
  redirect,
} from "@tanstack/react-router";
import { Shell } from "./components/shell.tsx";
import { Toasts } from "./components/toasts.tsx";
import { queryClient, trpc } from "./lib/api.ts";
import { isNotSignedIn } from "./lib/errors.ts";
import { rememberPlace } from "./lib/session.ts";
import { settingsSections, type SettingsSection } from "./lib/settings-sections.ts";
import { readWorkspaceSearch } from "./lib/workspace-views.ts";
import { NotFoundPage, ProblemPage } from "./pages/problem.tsx";
import { SignInPage, SignedOutPage } from "./pages/sign-in.tsx";
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

const signedOut = createRoute({
  getParentRoute: () => root,
  path: "/signed-out",
  validateSearch: (search: Record<string, unknown>): { ended?: true } =>
    search["ended"] === true ? { ended: true } : {},
  component: SignedOutPage,
});

/** Everything below it is for signed-in users; others are sent to `/sign-in`. */
const signedIn = createRoute({
  getParentRoute: () => root,
  id: "signed-in",
  component: Shell,
  beforeLoad: async ({ location }) => {
    try {
      await queryClient.ensureQueryData(trpc.auth.me.queryOptions());
    } catch (error) {
      if (!isNotSignedIn(error)) throw error;
      rememberPlace(location.href);
      throw redirect({ to: "/sign-in" });
    }
  },
});

const workspaces = createRoute({
  getParentRoute: () => signedIn,
  path: "/",
  component: WorkspacesPage,
  // A link to us with a repository behind its `#` is a link to the form, filled in.
  beforeLoad: ({ location }) => {
    if (location.hash !== "") throw redirect({ to: "/new", hash: location.hash, replace: true });
  },
});

const newWorkspace = createRoute({ getParentRoute: () => signedIn, path: "/new" }).lazy(() =>
  import("./pages/new-workspace.lazy.tsx").then(({ lazyRoute }) => lazyRoute),
);

const workspace = createRoute({
  getParentRoute: () => signedIn,
  path: "/workspaces/$name",
  validateSearch: readWorkspaceSearch,
}).lazy(() => import("./pages/workspace.lazy.tsx").then(({ lazyRoute }) => lazyRoute));

const settings = createRoute({
  getParentRoute: () => signedIn,
  path: "/settings",
  beforeLoad: ({ location }) => {
    if (location.pathname.replace(/\/$/, "") !== "/settings") return;
    throw redirect({ to: "/settings/$section", params: { section: "profile" }, replace: true });
  },
});

const settingsSection = createRoute({
  getParentRoute: () => settings,
  path: "$section",
  params: {
    parse: ({ section }): { section: SettingsSection } => ({
      section: settingsSections.find((each) => each === section) ?? "profile",
    }),
    stringify: ({ section }) => ({ section }),
  },
}).lazy(() => import("./pages/settings.lazy.tsx").then(({ lazyRoute }) => lazyRoute));

const people = createRoute({ getParentRoute: () => signedIn, path: "/people" }).lazy(() =>
  import("./pages/people.lazy.tsx").then(({ lazyRoute }) => lazyRoute),
);

export const router = createRouter({
  routeTree: root.addChildren([
    signIn,
    signedOut,
    signedIn.addChildren([
      workspaces,
      newWorkspace,
      workspace,
      settings.addChildren([settingsSection]),
      people,
    ]),
  ]),
  defaultPreload: "intent",
  // Nothing is shown for the wait of a moment.
  defaultPendingMs: 1000,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
