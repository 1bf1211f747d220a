import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { sshCommand } from "../lib/format.ts";
import { CopyButton } from "./copy-button.tsx";
import { Ports } from "./ports.tsx";
import { Revision } from "./revision.tsx";
import { StateBadge } from "./state-badge.tsx";
import { WorkspaceActions } from "./workspace-actions.tsx";

/** What the workspace is, and the ways into it; `narrow` folds what is seldom read. */
export function WorkspaceHeader({
  workspace,
  narrow,
}: {
  workspace: WorkspaceSummary;
  narrow: boolean;
}) {
  if (!narrow) {
    return (
      <div className="flex flex-wrap items-center gap-x-6 gap-y-2 border-b border-line bg-surface px-5 py-2">
        <Revision workspace={workspace} />
        <Ports workspace={workspace} />
        <div className="ml-auto min-w-0">
          <SshCommand workspace={workspace} />
        </div>
      </div>
    );
  }
  return (
    <details className="group border-b border-line bg-surface">
      <summary className="flex cursor-pointer list-none items-center gap-2 px-3 py-1.5 [&::-webkit-details-marker]:hidden">
        <StateBadge state={workspace.state} />
        <span className="flex-1 text-[13px] text-muted underline decoration-line-strong underline-offset-4">
          <span className="group-open:hidden">Ports, ssh and more</span>
          <span className="hidden group-open:inline">Less</span>
        </span>
      </summary>
      <div className="space-y-2.5 px-3 pb-3">
        <Ports workspace={workspace} />
        <SshCommand workspace={workspace} />
        <Revision workspace={workspace} />
        <WorkspaceActions workspace={workspace} />
      </div>
    </details>
  );
}

function SshCommand({ workspace }: { workspace: WorkspaceSummary }) {
  const command = sshCommand(workspace.ssh);
  return (
    <div
      title="Works with a key that you added: loop keys add"
      className="flex h-7 w-fit max-w-full items-center rounded-md border border-line bg-sunken pl-2"
    >
      <code className="min-w-0 truncate font-mono text-xs">{command}</code>
      <CopyButton text={command} label="Copy the ssh command" />
    </div>
  );
}
