import "./lib/zod-without-eval.ts";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queryClient } from "./lib/api.ts";
import { isNotSignedIn } from "./lib/errors.ts";
import { watchNavigation } from "./lib/focus.ts";
import { rememberPlace } from "./lib/session.ts";
import { router } from "./router.tsx";
import "./styles.css";

/** A session can end under any page: by a sign-out elsewhere, or because it was revoked. */
function leaveIfSignedOut(error: unknown): void {
  if (!isNotSignedIn(error)) return;
  const { pathname, href } = router.state.location;
  if (pathname === "/sign-in" || pathname === "/signed-out") return;
  // Before anything was shown, the router itself sends to the sign-in.
  if (router.state.matches.length === 0) return;
  rememberPlace(href);
  queryClient.clear();
  void router.navigate({ to: "/signed-out", search: { ended: true }, replace: true });
}

queryClient.getQueryCache().subscribe((event) => {
  if (event.type === "updated" && event.action.type === "error") {
    leaveIfSignedOut(event.action.error);
  }
});
queryClient.getMutationCache().subscribe((event) => {
  if (event.type === "updated" && event.action.type === "error") {
    leaveIfSignedOut(event.action.error);
  }
});
watchNavigation(router);

const element = document.getElementById("root");
if (element === null) throw new Error("index.html has no #root");
createRoot(element).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
