import { useId, type ComponentProps, type ReactNode } from "react";

export const inputLook =
  "w-full min-w-0 rounded-lg border border-line-strong bg-surface px-3 text-sm placeholder:text-muted";

type Technical = Pick<
  ComponentProps<"input">,
  "autoComplete" | "autoCapitalize" | "spellCheck" | "autoCorrect"
>;

/** For what is no prose: no browser should complete, capitalize or correct it. */
export const technical: Technical = {
  autoComplete: "off",
  autoCapitalize: "off",
  autoCorrect: "off",
  spellCheck: false,
};

interface FieldProps extends ComponentProps<"input"> {
  label: string;
  help?: ReactNode;
  /** Monospace, for what is typed exactly. */
  code?: boolean;
}

/** A text field with its label above and its explanation below. */
export function Field({ label, help, code = false, className = "", ...props }: FieldProps) {
  const id = useId();
  return (
    <div className={className}>
      <label htmlFor={id} className="block text-[13px] font-medium">
        {label}
      </label>
      <input
        id={id}
        aria-describedby={help === undefined ? undefined : `${id}-help`}
        className={`${inputLook} mt-1.5 h-9 ${code ? "font-mono text-[13px]" : ""}`}
        {...props}
      />
      {help !== undefined && (
        <p id={`${id}-help`} className="mt-1.5 text-[13px] text-pretty text-muted">
          {help}
        </p>
      )}
    </div>
  );
}

interface TextAreaFieldProps extends ComponentProps<"textarea"> {
  label: string;
  help?: ReactNode;
}

export function TextAreaField({ label, help, ...props }: TextAreaFieldProps) {
  const id = useId();
  return (
    <div>
      <label htmlFor={id} className="block text-[13px] font-medium">
        {label}
      </label>
      <textarea
        id={id}
        aria-describedby={help === undefined ? undefined : `${id}-help`}
        className={`${inputLook} mt-1.5 block py-2 font-mono text-[13px]`}
        {...props}
      />
      {help !== undefined && (
        <p id={`${id}-help`} className="mt-1.5 text-[13px] text-pretty text-muted">
          {help}
        </p>
      )}
    </div>
  );
}

/** A word of code in a sentence. */
export function Code({ children }: { children: ReactNode }) {
  return (
    <code className="rounded bg-sunken px-1 py-0.5 font-mono text-[0.92em] break-words text-ink">
      {children}
    </code>
  );
}

/** A command to copy or a value to read, on a line of its own. */
export function CodeLine({ text, children }: { text: string; children?: ReactNode }) {
  return (
    <div className="flex min-h-9 w-full max-w-full items-center rounded-lg border border-line bg-sunken pr-1 pl-3">
      {/* Focusable, so that the keyboard can scroll it. */}
      <code
        tabIndex={0}
        className="min-w-0 flex-1 overflow-x-auto py-2 font-mono text-[13px] whitespace-nowrap [scrollbar-width:none]"
      >
        {text}
      </code>
      {children}
    </div>
  );
}
