import { useState, type ReactNode } from "react";
import { Ask } from "../ask.tsx";
import { Button } from "../button.tsx";

/** What is stored, one a line; or a sentence where there is nothing. */
export function RowList({
  label,
  empty,
  children,
}: {
  label: string;
  empty: string;
  children: readonly ReactNode[];
}) {
  if (children.length === 0) return <p className="text-sm text-muted">{empty}</p>;
  return (
    <ul aria-label={label} className="-my-4 divide-y divide-line">
      {children}
    </ul>
  );
}

export function Row({
  title,
  children,
  action,
}: {
  title: ReactNode;
  children: ReactNode;
  action?: ReactNode;
}) {
  return (
    <li className="flex items-center gap-4 py-3">
      <div className="min-w-0 flex-1">
        <p className="flex min-w-0 flex-wrap items-center gap-x-2 text-sm font-medium [overflow-wrap:anywhere]">
          {title}
        </p>
        <div className="mt-0.5 text-[13px] [overflow-wrap:anywhere] text-muted">{children}</div>
      </div>
      {action}
    </li>
  );
}

/** A button that asks first, and says there what went wrong. */
export function RemoveButton({
  what,
  title,
  action = "Remove",
  busy,
  error,
  onRemove,
  onClose,
  children,
}: {
  /** For screen readers: which one. */
  what: string;
  title: string;
  action?: string;
  busy: boolean;
  error: unknown;
  onRemove: () => void;
  /** Forgets the failure. */
  onClose: () => void;
  children: ReactNode;
}) {
  const [asking, setAsking] = useState(false);
  return (
    <>
      <Button size="small" aria-label={`${action} ${what}`} onClick={() => setAsking(true)}>
        {action}
      </Button>
      {asking && (
        <Ask
          title={title}
          action={action}
          busy={busy}
          error={error}
          onConfirm={onRemove}
          onClose={() => {
            setAsking(false);
            onClose();
          }}
        >
          {children}
        </Ask>
      )}
    </>
  );
}

/** A short word beside a name. */
export function Mark({ children, good = false }: { children: ReactNode; good?: boolean }) {
  return (
    <span
      className={`rounded-full px-2 py-0.5 text-xs font-medium ${
        good ? "bg-good-soft text-good" : "bg-hover text-muted"
      }`}
    >
      {children}
    </span>
  );
}
