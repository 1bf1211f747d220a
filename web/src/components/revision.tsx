import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { shortCommit, shortRepository } from "../lib/format.ts";
import { BranchIcon, CommitIcon, RepositoryIcon } from "./icons.tsx";

/** What is checked out: repository, branch and commit. */
export function Revision({ workspace }: { workspace: WorkspaceSummary }) {
  const { repository, branch, commit } = workspace;
  return (
    <p className="flex min-w-0 flex-wrap items-center gap-x-3.5 gap-y-1 text-[13px] text-muted">
      <span className="flex max-w-full min-w-0 items-center gap-1.5" title={repository}>
        <RepositoryIcon className="size-3.5" />
        <span className="sr-only">Repository</span>
        <span className="truncate">{shortRepository(repository)}</span>
      </span>
      {branch !== null && (
        <span className="flex max-w-full min-w-0 items-center gap-1.5" title={branch}>
          <BranchIcon className="size-3.5" />
          <span className="sr-only">Branch</span>
          <span className="truncate">{branch}</span>
        </span>
      )}
      <span className="flex items-center gap-1.5" title={commit}>
        <CommitIcon className="size-3.5" />
        <span className="sr-only">Commit</span>
        <span className="font-mono text-xs">{shortCommit(commit)}</span>
      </span>
    </p>
  );
}
