import "./lib/zod-without-eval.ts";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queryClient } from "./lib/api.ts";
import { isNotSignedIn } from "./lib/errors.ts";
import { router } from "./router.tsx";
import "./styles.css";

// A session can end under any page.
queryClient.getQueryCache().subscribe((event) => {
  if (event.type !== "updated" || event.action.type !== "error") return;
  if (!isNotSignedIn(event.action.error)) return;
  if (router.state.location.pathname === "/sign-in") return;
  void router.navigate({ to: "/sign-in" });
});

const element = document.getElementById("root");
if (element === null) throw new Error("index.html has no #root");
createRoot(element).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
