import type { ComponentProps } from "react";

type Kind = "solid" | "plain" | "quiet" | "danger";
type Size = "small" | "medium" | "large";

const kinds: Record<Kind, string> = {
  solid: "bg-solid text-solid-ink hover:opacity-85",
  plain: "border border-line bg-surface text-ink hover:bg-hover",
  quiet: "text-muted hover:bg-hover hover:text-ink",
  danger: "bg-bad text-canvas hover:opacity-85",
};

const sizes: Record<Size, string> = {
  small: "h-8 px-2.5 text-[13px]",
  medium: "h-9 px-3.5 text-sm",
  large: "h-11 px-5 text-sm",
};

const squares: Record<Size, string> = { small: "size-7", medium: "size-8", large: "size-9" };

const base =
  "inline-flex shrink-0 items-center justify-center gap-1.5 rounded-lg font-medium " +
  "whitespace-nowrap transition-[background-color,opacity,color] disabled:opacity-45 select-none";

interface Look {
  kind?: Kind;
  size?: Size;
}

export function Button({
  kind = "plain",
  size = "medium",
  className = "",
  ...props
}: ComponentProps<"button"> & Look) {
  return (
    <button
      type="button"
      className={`${base} ${kinds[kind]} ${sizes[size]} ${className}`}
      {...props}
    />
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
