import { useEffect, useId, useRef, type ReactNode } from "react";
import { createPortal } from "react-dom";

/** A modal dialog: the browser keeps the focus in it, and gives it back afterwards. */
export function Dialog({
  title,
  onClose,
  children,
}: {
  title: string;
  onClose: () => void;
  children: ReactNode;
}) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    // React focuses before the dialog is open, which does nothing then.
    dialog?.querySelector<HTMLElement>("[data-autofocus]")?.focus();
    return () => dialog?.close();
  }, []);
  // Not inside what opened it: a list's row or a menu may go while the dialog is open.
  return createPortal(
    <dialog
      ref={element}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      // Keys typed in it are not also for what opened it (React's events pass through portals).
      onKeyDown={(event) => event.stopPropagation()}
      className="m-auto max-h-[calc(100dvh-2rem)] w-[calc(100%-2rem)] max-w-lg overflow-y-auto rounded-2xl border border-line bg-surface p-5 text-ink shadow-2xl"
    >
      <h2 id={titleId} className="text-lg font-semibold tracking-tight break-words">
        {title}
      </h2>
      {children}
    </dialog>,
    document.body,
  );
}
