import type { ReactNode } from "react";
import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { checkedOut, shortCommit, shortRepository, type CheckedOut } from "../lib/format.ts";
import { BranchIcon, CommitIcon, RepositoryIcon, TagIcon } from "./icons.tsx";

const kinds: Record<CheckedOut["kind"], { word: string; icon: ReactNode }> = {
  branch: { word: "Branch", icon: <BranchIcon className="size-3.5" /> },
  tag: { word: "Tag", icon: <TagIcon className="size-3.5" /> },
  "pull-request": { word: "Pull request", icon: <BranchIcon className="size-3.5" /> },
  commit: { word: "Commit", icon: <CommitIcon className="size-3.5" /> },
};

/** What is checked out: repository, branch or tag, and commit. */
export function Revision({ workspace }: { workspace: WorkspaceSummary }) {
  const { repository, commit } = workspace;
  const { kind, label, detached } = checkedOut(workspace);
  const { word, icon } = kinds[kind];
  return (
    <p className="flex min-w-0 flex-wrap items-center gap-x-3.5 gap-y-1 text-[13px] text-muted">
      <span className="flex max-w-full min-w-0 items-center gap-1.5" title={repository}>
        <RepositoryIcon className="size-3.5" />
        <span className="sr-only">Repository</span>
        <span className="truncate">{shortRepository(repository)}</span>
      </span>
      <span className="flex max-w-full min-w-0 items-center gap-1.5" title={label}>
        {icon}
        <span className="sr-only">{word}</span>
        <span className="truncate">{label}</span>
      </span>
      {kind !== "commit" && (
        <span className="hidden items-center gap-1.5 sm:flex" title={commit}>
          <span className="sr-only">Commit</span>
          <span className="font-mono text-xs">{shortCommit(commit)}</span>
        </span>
      )}
      {detached && (
        <span
          title="Commits made here are on no branch until you make one: git switch -c <name>"
          className="rounded bg-sunken px-1.5 text-xs"
        >
          detached
        </span>
      )}
    </p>
  );
}
