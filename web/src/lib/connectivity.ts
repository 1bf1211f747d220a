import { useEffect, useState } from "react";
import { createStore } from "./store.ts";

/** Subscriptions that are cut off, each with what tries it again at once. */
const broken = createStore<ReadonlyMap<symbol, () => void>>(new Map());

/** A restart of the control plane takes less: no alarm for what mends itself. */
const alarmAfterMs = 1500;

/** Says whether a subscription of this component is cut off. */
export function useReportBroken(isBroken: boolean, retry: () => void): void {
  useEffect(() => {
    if (!isBroken) return undefined;
    const key = Symbol("subscription");
    broken.set(new Map(broken.get()).set(key, retry));
    return () => {
      const others = new Map(broken.get());
      others.delete(key);
      broken.set(others);
    };
  }, [isBroken, retry]);
}

/** What tries again at once, while the control plane has not answered for a moment; else null. */
export function useConnectionLost(): (() => void) | null {
  const now = broken.use();
  const lost = now.size > 0;
  const [alarmed, setAlarmed] = useState(false);
  useEffect(() => {
    if (!lost) return undefined;
    const timer = setTimeout(() => setAlarmed(true), alarmAfterMs);
    return () => {
      clearTimeout(timer);
      setAlarmed(false);
    };
  }, [lost]);
  if (!lost || !alarmed) return null;
  return () => {
    for (const retry of now.values()) retry();
  };
}
