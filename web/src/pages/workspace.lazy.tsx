import { createLazyRoute } from "@tanstack/react-router";
import { WorkspacePage } from "./workspace.tsx";

/** Loaded with the first workspace: xterm.js is larger than the rest of the app. */
export const lazyRoute = createLazyRoute("/signed-in/workspaces/$name")({
  component: WorkspacePage,
});
