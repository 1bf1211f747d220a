import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { trpc } from "../lib/api.ts";
import { Button, IconButton } from "./button.tsx";
import { DeleteDialog } from "./delete-dialog.tsx";
import { PlayIcon, StopIcon, TrashIcon } from "./icons.tsx";

/** Start or stop, whichever the state allows, and delete. */
export function WorkspaceActions({ workspace }: { workspace: WorkspaceSummary }) {
  const { name, state } = workspace;
  const [deleting, setDeleting] = useState(false);
  const start = useMutation(trpc.workspaces.start.mutationOptions());
  const stop = useMutation(trpc.workspaces.stop.mutationOptions());
  const input = { workspace: name };
  return (
    <div className="flex items-center gap-1">
      {(state === "stopped" || state === "failed" || state === "stopping") && (
        <Button
          aria-label={`Start ${name}`}
          disabled={state === "stopping" || start.isPending}
          onClick={() => start.mutate(input)}
        >
          <PlayIcon className="size-3.5" />
          Start
        </Button>
      )}
      {(state === "running" || state === "starting") && (
        <Button
          aria-label={`Stop ${name}`}
          disabled={stop.isPending}
          onClick={() => stop.mutate(input)}
        >
          <StopIcon className="size-3.5" />
          Stop
        </Button>
      )}
      <IconButton
        label={`Delete ${name}`}
        disabled={state === "deleting"}
        className="hover:text-bad"
        onClick={() => setDeleting(true)}
      >
        <TrashIcon />
      </IconButton>
      {deleting && <DeleteDialog name={name} onClose={() => setDeleting(false)} />}
    </div>
  );
}
