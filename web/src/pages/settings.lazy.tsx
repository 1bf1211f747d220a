import { createLazyRoute } from "@tanstack/react-router";
import { SettingsPage } from "./settings.tsx";

export const lazyRoute = createLazyRoute("/signed-in/settings/$section")({
  component: SettingsPage,
});
