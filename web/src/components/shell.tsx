import { useQuery } from "@tanstack/react-query";
import { Outlet, useRouterState } from "@tanstack/react-router";
import { trpc } from "../lib/api.ts";
import { useConnectionLost } from "../lib/connectivity.ts";
import { useLiveList } from "../lib/live.ts";
import { Button } from "./button.tsx";
import { FirstSignIn } from "./first-sign-in.tsx";
import { SpinnerIcon } from "./icons.tsx";

/** What is around every page of a signed-in person. */
export function Shell() {
  const path = useRouterState({ select: (state) => state.location.pathname });
  // A workspace's page has a subscription of its own: one of the browser's few connections is enough.
  useLiveList(!path.startsWith("/workspaces/"));
  const me = useQuery(trpc.auth.me.queryOptions());
  return (
    <>
      <a
        href="#main"
        onClick={(event) => {
          // Without the address's `#`, which is for repositories.
          event.preventDefault();
          const main = document.querySelector<HTMLElement>("#main");
          main?.setAttribute("tabindex", "-1");
          main?.focus();
        }}
        className="sr-only rounded-lg bg-solid text-sm font-medium text-solid-ink focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:px-3.5 focus:py-2"
      >
        Skip to the content
      </a>
      <Outlet />
      <ConnectionLost />
      {me.data !== undefined && <FirstSignIn me={me.data} />}
    </>
  );
}

/** Over the page, not in it: nothing moves when the control plane is restarted. */
function ConnectionLost() {
  const retry = useConnectionLost();
  return (
    <div
      role="status"
      className="pointer-events-none fixed inset-x-3 top-2 z-40 flex justify-center"
    >
      {retry !== null && (
        <div className="pointer-events-auto flex max-w-full items-center gap-3 rounded-xl border border-line bg-surface py-1.5 pr-1.5 pl-3.5 text-sm shadow-lg">
          <SpinnerIcon className="text-wait" />
          <span>
            The control plane does not answer. Reconnecting.
            <span className="hidden text-muted sm:inline"> Your workspaces run on.</span>
          </span>
          <Button size="small" onClick={retry}>
            Try now
          </Button>
        </div>
      )}
    </div>
  );
}
