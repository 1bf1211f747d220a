import { useLocation } from "@tanstack/react-router";
import { CopyButton } from "../components/copy-button.tsx";
import { SpinnerIcon } from "../components/icons.tsx";
import { Notice } from "../components/notice.tsx";
import { OpenForm } from "../components/open-form.tsx";
import { TopBar } from "../components/top-bar.tsx";
import { WorkspaceRow } from "../components/workspace-row.tsx";
import { wireError } from "../lib/errors.ts";
import { useWorkspaceList } from "../lib/live.ts";
import { usePageTitle } from "../lib/page-title.ts";

/** `/`: all workspaces, and the way to a new one. `/#<context URL>` fills the form in. */
export function WorkspacesPage() {
  const { workspaces, error, connected } = useWorkspaceList();
  const suggested = contextUrlOf(useLocation().hash);
  usePageTitle("Workspaces");
  return (
    <div className="flex min-h-dvh flex-col">
      <TopBar />
      <main className="mx-auto w-full max-w-4xl flex-1 px-4 py-8 sm:px-6 sm:py-12">
        <OpenForm key={suggested} suggested={suggested} />
        <section aria-labelledby="workspaces-title" className="mt-10">
          <div className="mb-3 flex items-baseline justify-between">
            <h2 id="workspaces-title" className="text-sm font-semibold">
              Your workspaces
            </h2>
            {!connected && (
              <span role="status" className="flex items-center gap-1.5 text-xs text-wait">
                <SpinnerIcon className="size-3.5" /> Reconnecting
              </span>
            )}
          </div>
          {workspaces === undefined && error === null && (
            <p role="status" className="flex items-center gap-2 py-6 text-sm text-muted">
              <SpinnerIcon /> Loading
            </p>
          )}
          {workspaces === undefined && error !== null && (
            <Notice title={wireError(error).message} />
          )}
          {workspaces?.length === 0 && <Empty />}
          {workspaces !== undefined && workspaces.length > 0 && (
            <ul className="divide-y divide-line overflow-hidden rounded-2xl border border-line bg-surface">
              {workspaces.map((workspace) => (
                <WorkspaceRow key={workspace.id} workspace={workspace} />
              ))}
            </ul>
          )}
        </section>
      </main>
    </div>
  );
}

const openCommand = "npx loop open <url>";

function Empty() {
  return (
    <div className="rounded-2xl border border-dashed border-line-strong px-5 py-10 text-center">
      <p className="font-semibold tracking-tight">No workspace yet</p>
      <p className="mx-auto mt-1.5 max-w-md text-sm text-pretty text-muted">
        Paste the URL of a repository with a{" "}
        <code className="font-mono text-[13px]">devfile.yaml</code> above. Its services start beside
        your code, and you get a terminal, ssh and its ports. Or from a shell:
      </p>
      <div className="mx-auto mt-4 flex h-9 w-fit max-w-full items-center rounded-lg border border-line bg-surface pr-1 pl-3">
        <code className="font-mono text-[13px]">{openCommand}</code>
        <CopyButton text={openCommand} label="Copy the command" />
      </div>
    </div>
  );
}

/** The context URL in the address after `#`, as it is or percent-encoded. */
function contextUrlOf(hash: string): string {
  if (hash.includes("://")) return hash;
  try {
    return decodeURIComponent(hash);
  } catch {
    return hash;
  }
}
