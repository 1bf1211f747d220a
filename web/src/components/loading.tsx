import { SpinnerIcon } from "./icons.tsx";

/** Shown in the place of what is not there yet; nothing at all for the first 300 ms. */
export function Loading({ what = "Loading" }: { what?: string }) {
  return (
    <p role="status" className="late flex items-center gap-2 py-6 text-sm text-muted">
      <SpinnerIcon /> {what}
    </p>
  );
}
