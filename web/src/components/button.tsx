import type { ComponentProps } from "react";
import { SpinnerIcon } from "./icons.tsx";

type Kind = "solid" | "plain" | "quiet" | "danger";
type Size = "small" | "medium" | "large";

const kinds: Record<Kind, string> = {
  solid: "bg-solid text-solid-ink hover:bg-solid-hover",
  plain: "border border-line bg-surface text-ink hover:bg-hover",
  quiet: "text-muted hover:bg-hover hover:text-ink",
  danger: "bg-danger text-danger-ink hover:bg-danger-hover",
};

const sizes: Record<Size, string> = {
  small: "h-8 px-2.5 text-[13px]",
  medium: "h-9 px-3.5 text-sm",
  large: "h-11 px-5 text-sm",
};

const squares: Record<Size, string> = { small: "size-7", medium: "size-8", large: "size-9" };

const base =
  "relative inline-flex shrink-0 items-center justify-center gap-1.5 rounded-lg font-medium " +
  "whitespace-nowrap transition-colors disabled:opacity-50 select-none";

/** The look of a button, for links that act as one. */
export function buttonLook(kind: Kind = "plain", size: Size = "medium"): string {
  return `${base} ${kinds[kind]} ${sizes[size]}`;
}

interface Look {
  kind?: Kind;
  size?: Size;
}

/** `busy`: what it began goes on. Its width stays, and the sign of it comes after a moment only. */
export function Button({
  kind = "plain",
  size = "medium",
  busy = false,
  className = "",
  disabled = false,
  children,
  ...props
}: ComponentProps<"button"> & Look & { busy?: boolean }) {
  return (
    <button
      type="button"
      disabled={disabled || busy}
      aria-busy={busy}
      className={`${buttonLook(kind, size)} ${className}`}
      {...props}
    >
      {busy ? (
        <>
          <span className="late-out inline-flex items-center gap-1.5">{children}</span>
          <SpinnerIcon className="late absolute" />
        </>
      ) : (
        children
      )}
    </button>
  );
}

/** A square button that shows only an icon; `label` is its name. */
export function IconButton({
  label,
  kind = "quiet",
  size = "large",
  className = "",
  ...props
}: ComponentProps<"button"> & Look & { label: string }) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={`${base} ${kinds[kind]} ${squares[size]} ${className}`}
      {...props}
    />
  );
}
