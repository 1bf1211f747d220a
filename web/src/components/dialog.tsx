import { useEffect, useRef, type ReactNode } from "react";

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
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={element}
      aria-labelledby="dialog-title"
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      className="m-auto w-[calc(100%-2rem)] max-w-lg rounded-2xl border border-line bg-surface p-5 text-ink shadow-2xl"
    >
      <h2 id="dialog-title" className="text-lg font-semibold tracking-tight break-words">
        {title}
      </h2>
      {children}
    </dialog>
  );
}
