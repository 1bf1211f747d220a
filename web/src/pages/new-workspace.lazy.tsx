import { createLazyRoute } from "@tanstack/react-router";
import { NewWorkspacePage } from "./new-workspace.tsx";

export const lazyRoute = createLazyRoute("/signed-in/new")({ component: NewWorkspacePage });
