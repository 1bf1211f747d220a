import { Link } from "@tanstack/react-router";
import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { plainText } from "../lib/plain-text.ts";
import { useWishes } from "../lib/wishes.ts";
import { Failure } from "./failure.tsx";
import { Behind, Unsaved } from "./freshness.tsx";
import { Revision } from "./revision.tsx";
import { StateBadge } from "./state-badge.tsx";
import { Ago } from "./time.tsx";
import { WorkspaceActions } from "./workspace-actions.tsx";

/** A workspace in the list. */
export function WorkspaceRow({ workspace }: { workspace: WorkspaceSummary }) {
  const { name, state, error, lastUsedAt } = workspace;
  const wishes = useWishes();
  return (
    <li className="px-4 py-3.5 sm:px-5">
      <div className="flex flex-col gap-x-6 gap-y-2.5 sm:flex-row sm:items-center">
        <div className="min-w-0 flex-1 space-y-1.5">
          <div className="flex min-w-0 items-center gap-2.5">
            <h2 className="min-w-0">
              <Link
                to="/workspaces/$name"
                params={{ name }}
                className="block truncate rounded-sm font-semibold tracking-tight hover:underline"
              >
                {name}
              </Link>
            </h2>
            <StateBadge state={state} />
          </div>
          <Revision workspace={workspace} />
          {state === "failed" && error !== null && (
            <p className="line-clamp-2 text-[13px] break-words text-bad">
              {plainText(error.message)}
            </p>
          )}
        </div>
        <div className="flex items-center justify-between gap-4">
          <div className="flex flex-wrap items-center gap-x-3 gap-y-1 sm:max-w-64 sm:justify-end sm:text-right">
            <Behind workspace={workspace} refresh={wishes.refresh} />
            <Unsaved workspace={workspace} />
            <span className="text-[13px] text-muted">
              Used <Ago at={lastUsedAt} />
            </span>
          </div>
          <div className="flex justify-end sm:w-36">
            <WorkspaceActions workspace={workspace} wishes={wishes} />
          </div>
        </div>
      </div>
      <Failure error={wishes.error} className="mt-3" />
    </li>
  );
}
