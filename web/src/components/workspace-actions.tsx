import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { sshCommand } from "../lib/format.ts";
import { showToast } from "../lib/toasts.ts";
import type { Wishes } from "../lib/wishes.ts";
import { Button, IconButton, buttonLook } from "./button.tsx";
import { DeleteDialog } from "./delete-dialog.tsx";
import {
  CopyIcon,
  MoreIcon,
  PlayIcon,
  RefreshIcon,
  StopIcon,
  TerminalIcon,
  TrashIcon,
} from "./icons.tsx";
import { Menu, MenuItem, MenuSeparator } from "./menu.tsx";

/** The one thing that one most likely wants now, and a menu with the rest. */
export function WorkspaceActions({
  workspace,
  wishes,
  onItsPage = false,
}: {
  workspace: WorkspaceSummary;
  wishes: Wishes;
  onItsPage?: boolean;
}) {
  const { name, state, branch } = workspace;
  const { start, stop, refresh } = wishes;
  const [deleting, setDeleting] = useState(false);
  const input = { workspace: name };
  const goesOn = state === "running" || state === "starting";
  return (
    <div className="flex items-center gap-1.5">
      {!onItsPage && goesOn && (
        <Link
          to="/workspaces/$name"
          params={{ name }}
          className={buttonLook()}
          aria-label={`${state === "running" ? "Terminal of" : "Follow"} ${name}`}
        >
          <TerminalIcon className="size-3.5" />
          {state === "running" ? "Terminal" : "Follow"}
        </Link>
      )}
      {(state === "stopped" || state === "failed" || state === "stopping") && (
        <Button
          aria-label={`Start ${name}`}
          disabled={state === "stopping"}
          busy={start.isPending}
          onClick={() => start.mutate(input)}
        >
          <PlayIcon className="size-3.5" />
          Start
        </Button>
      )}
      {onItsPage && goesOn && (
        <Button
          aria-label={`Stop ${name}`}
          busy={stop.isPending}
          // On a narrow screen the name needs the room; the menu has it too.
          className="max-sm:hidden"
          onClick={() => stop.mutate(input)}
        >
          <StopIcon className="size-3.5" />
          Stop
        </Button>
      )}
      <Menu
        label={`More for ${name}`}
        trigger={
          <IconButton label={`More for ${name}`}>
            <MoreIcon />
          </IconButton>
        }
      >
        {goesOn && (
          <MenuItem icon={<StopIcon />} onSelect={() => stop.mutate(input)}>
            Stop
          </MenuItem>
        )}
        <MenuItem icon={<CopyIcon />} onSelect={() => void copySsh(workspace)}>
          Copy the ssh command
        </MenuItem>
        {branch !== null && (
          <MenuItem
            icon={<RefreshIcon />}
            disabled={refresh.isPending}
            onSelect={() => refresh.mutate(input)}
          >
            Ask the remote for new commits
          </MenuItem>
        )}
        <MenuSeparator />
        <MenuItem
          icon={<TrashIcon />}
          danger
          disabled={state === "deleting"}
          onSelect={() => setDeleting(true)}
        >
          Delete
        </MenuItem>
      </Menu>
      {deleting && <DeleteDialog name={name} onClose={() => setDeleting(false)} />}
    </div>
  );
}

async function copySsh({ ssh }: WorkspaceSummary): Promise<void> {
  try {
    await navigator.clipboard.writeText(sshCommand(ssh));
    showToast("done", "Copied the ssh command.");
  } catch {
    showToast("error", "The browser refused to copy. The command stands under Connect.");
  }
}
