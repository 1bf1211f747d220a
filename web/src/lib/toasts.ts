import { createStore } from "./store.ts";

export interface Toast {
  readonly id: number;
  readonly kind: "error" | "done";
  readonly message: string;
}

/** Long enough to read a sentence; errors stay until they are dismissed. */
const doneShownMs = 5000;
/** More would cover the page; the oldest goes. */
const mostToasts = 4;

const toasts = createStore<readonly Toast[]>([]);
let nextId = 1;

export function dismissToast(id: number): void {
  toasts.set(toasts.get().filter((toast) => toast.id !== id));
}

/** Shows a sentence; the same sentence is not shown twice at a time. */
export function showToast(kind: Toast["kind"], message: string): void {
  const id = nextId;
  nextId += 1;
  const others = toasts.get().filter((toast) => toast.message !== message);
  toasts.set([...others, { id, kind, message }].slice(-mostToasts));
  if (kind === "done") setTimeout(() => dismissToast(id), doneShownMs);
}

export const useToasts = toasts.use;
