import type { ReactNode } from "react";
import { Button } from "./button.tsx";
import { Dialog } from "./dialog.tsx";
import { Failure } from "./failure.tsx";

interface AskProps {
  title: string;
  /** What will be, so that nobody must guess. */
  children: ReactNode;
  /** The word on the button that does it. */
  action: string;
  keep?: string;
  danger?: boolean;
  busy: boolean;
  error: unknown;
  onConfirm: () => void;
  onClose: () => void;
}

/** Asks before something that cannot be taken back. The focus is on the way out. */
export function Ask(props: AskProps) {
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <div className="mt-2 space-y-3 text-sm text-pretty text-muted">{props.children}</div>
      <Failure error={props.error} className="mt-4" />
      <div className="mt-6 flex flex-wrap justify-end gap-2">
        <Button data-autofocus onClick={props.onClose}>
          {props.keep ?? "Cancel"}
        </Button>
        <Button
          kind={props.danger === false ? "solid" : "danger"}
          busy={props.busy}
          onClick={props.onConfirm}
        >
          {props.action}
        </Button>
      </div>
    </Dialog>
  );
}
