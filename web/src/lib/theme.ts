import { useSyncExternalStore } from "react";

export type Theme = "light" | "dark";

/** public/theme.js reads the same key before the first paint. */
const storageKey = "oneloop.theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function notify(): void {
  for (const listener of listeners) listener();
}

system.addEventListener("change", notify);

export function currentTheme(): Theme {
  const chosen = document.documentElement.dataset["theme"];
  if (chosen === "light" || chosen === "dark") return chosen;
  return system.matches ? "dark" : "light";
}

/** Calls `listener` when the theme changes, by the user or by the system. */
export function onThemeChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Chooses the other theme; choosing what the system says forgets the choice. */
export function toggleTheme(): void {
  const next: Theme = currentTheme() === "dark" ? "light" : "dark";
  if ((next === "dark") === system.matches) {
    delete document.documentElement.dataset["theme"];
    localStorage.removeItem(storageKey);
  } else {
    document.documentElement.dataset["theme"] = next;
    localStorage.setItem(storageKey, next);
  }
  notify();
}

export function useTheme(): Theme {
  return useSyncExternalStore(onThemeChange, currentTheme);
}
