import { Link } from "@tanstack/react-router";
import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { Ports } from "./ports.tsx";
import { Revision } from "./revision.tsx";
import { StateBadge } from "./state-badge.tsx";
import { WorkspaceActions } from "./workspace-actions.tsx";

export function WorkspaceRow({ workspace }: { workspace: WorkspaceSummary }) {
  const { name, state, error } = workspace;
  return (
    <li className="flex flex-col gap-3 px-4 py-4 sm:flex-row sm:items-center sm:px-5">
      <div className="min-w-0 flex-1 space-y-2">
        <div className="flex flex-wrap items-center gap-x-2.5 gap-y-1.5">
          <h3 className="min-w-0">
            <Link
              to="/workspaces/$name"
              params={{ name }}
              className="block truncate rounded-sm font-semibold tracking-tight hover:text-accent hover:underline"
            >
              {name}
            </Link>
          </h3>
          <StateBadge state={state} />
        </div>
        <Revision workspace={workspace} />
        {error !== null && (
          <p className="line-clamp-2 text-[13px] break-words text-bad">{error.message}</p>
        )}
        <Ports workspace={workspace} />
      </div>
      <WorkspaceActions workspace={workspace} />
    </li>
  );
}
