import { useSyncExternalStore } from "react";

/** Below Tailwind's `md`: one column, and every line counts. */
const narrow = window.matchMedia("(width < 48rem)");

export function useNarrow(): boolean {
  return useSyncExternalStore(
    (listener) => {
      narrow.addEventListener("change", listener);
      return () => narrow.removeEventListener("change", listener);
    },
    () => narrow.matches,
  );
}
