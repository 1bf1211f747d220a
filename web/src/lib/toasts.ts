import { useSyncExternalStore } from "react";

export interface Toast {
  readonly id: number;
  readonly kind: "error" | "done";
  readonly message: string;
}

/** Long enough to read a sentence; errors stay until they are dismissed. */
const doneShownMs = 5000;
/** More would cover the page; the oldest goes. */
const mostToasts = 4;

let toasts: readonly Toast[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

function become(next: readonly Toast[]): void {
  toasts = next;
  for (const listener of listeners) listener();
}

export function dismissToast(id: number): void {
  become(toasts.filter((toast) => toast.id !== id));
}

/** Shows a sentence; the same sentence is not shown twice at a time. */
export function showToast(kind: Toast["kind"], message: string): void {
  const id = nextId;
  nextId += 1;
  const others = toasts.filter((toast) => toast.message !== message);
  become([...others, { id, kind, message }].slice(-mostToasts));
  if (kind === "done") setTimeout(() => dismissToast(id), doneShownMs);
}

export function useToasts(): readonly Toast[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
}
