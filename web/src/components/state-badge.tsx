import type { ReactNode } from "react";
import type { WorkspaceState } from "../../../server/protocol/workspace.ts";
import { CheckIcon, SpinnerIcon, StopIcon, WarningIcon } from "./icons.tsx";

const looks: Record<WorkspaceState, { word: string; color: string; icon: ReactNode }> = {
  starting: {
    word: "Starting",
    color: "bg-wait-soft text-wait",
    icon: <SpinnerIcon className="size-3.5" />,
  },
  running: {
    word: "Running",
    color: "bg-good-soft text-good",
    icon: <CheckIcon className="size-3.5" />,
  },
  stopping: {
    word: "Stopping",
    color: "bg-wait-soft text-wait",
    icon: <SpinnerIcon className="size-3.5" />,
  },
  stopped: {
    word: "Stopped",
    color: "bg-hover text-muted",
    icon: <StopIcon className="size-3.5" />,
  },
  deleting: {
    word: "Deleting",
    color: "bg-bad-soft text-bad",
    icon: <SpinnerIcon className="size-3.5" />,
  },
  failed: {
    word: "Failed",
    color: "bg-bad-soft text-bad",
    icon: <WarningIcon className="size-3.5" />,
  },
};

/** `short`: the word is for screen readers only. */
export function StateBadge({ state, short = false }: { state: WorkspaceState; short?: boolean }) {
  const { word, color, icon } = looks[state];
  return (
    <span
      className={`inline-flex h-6 items-center shrink-0 gap-1 rounded-full text-xs font-medium ${short ? "px-1.5" : "pr-2.5 pl-2"} ${color}`}
      data-state={state}
      title={short ? word : undefined}
    >
      {icon}
      <span className={short ? "sr-only" : ""}>{word}</span>
    </span>
  );
}
