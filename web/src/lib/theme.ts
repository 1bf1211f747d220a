import { useSyncExternalStore } from "react";

export type Theme = "light" | "dark";
/** `system`: what the device says, also when it changes. */
export type ThemeChoice = Theme | "system";

/** public/theme.js reads the same key before the first paint. */
const storageKey = "oneloop.theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function notify(): void {
  for (const listener of listeners) listener();
}

system.addEventListener("change", notify);

export function themeChoice(): ThemeChoice {
  const chosen = document.documentElement.dataset["theme"];
  return chosen === "light" || chosen === "dark" ? chosen : "system";
}

export function currentTheme(): Theme {
  const chosen = themeChoice();
  if (chosen !== "system") return chosen;
  return system.matches ? "dark" : "light";
}

/** Calls `listener` when the theme changes, by the user or by the system. */
export function onThemeChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function chooseTheme(choice: ThemeChoice): void {
  if (choice === "system") {
    delete document.documentElement.dataset["theme"];
    localStorage.removeItem(storageKey);
  } else {
    document.documentElement.dataset["theme"] = choice;
    localStorage.setItem(storageKey, choice);
  }
  notify();
}

export function useTheme(): Theme {
  return useSyncExternalStore(onThemeChange, currentTheme);
}

export function useThemeChoice(): ThemeChoice {
  return useSyncExternalStore(onThemeChange, themeChoice);
}
