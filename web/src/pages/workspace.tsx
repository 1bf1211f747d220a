import { useMutation } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, useState } from "react";
import { Activity, ActivityDrawer } from "../components/activity.tsx";
import { Button } from "../components/button.tsx";
import { ActivityIcon, PlayIcon, SpinnerIcon } from "../components/icons.tsx";
import { Notice } from "../components/notice.tsx";
import { StateBadge } from "../components/state-badge.tsx";
import { Terminals } from "../components/terminals.tsx";
import { TopBar } from "../components/top-bar.tsx";
import { WorkspaceActions } from "../components/workspace-actions.tsx";
import { WorkspaceHeader } from "../components/workspace-header.tsx";
import { trpc } from "../lib/api.ts";
import { wireError } from "../lib/errors.ts";
import { useWorkspace, type LiveWorkspace } from "../lib/live.ts";
import { showToast } from "../lib/toasts.ts";
import { usePageTitle } from "../lib/page-title.ts";
import { useNarrow } from "../lib/use-narrow.ts";

/** `/workspaces/<name>?terminal=<id>`: the way there while it starts, its terminals when it runs. */
export function WorkspacePage() {
  const { name } = useParams({ from: "/signed-in/workspaces/$name" });
  // Another workspace is another page: nothing heard of one may show in the other.
  return <WorkspaceView key={name} name={name} />;
}

function WorkspaceView({ name }: { name: string }) {
  const navigate = useNavigate();
  const live = useWorkspace(name);
  const { workspace, deleted, error } = live;
  const narrow = useNarrow();
  usePageTitle(name);
  useEffect(() => {
    if (!deleted) return;
    showToast("done", `${name} is deleted.`);
    void navigate({ to: "/" });
  }, [deleted, name, navigate]);

  return (
    <div className="flex h-dvh flex-col">
      <TopBar>
        <span aria-hidden="true" className="text-line-strong">
          /
        </span>
        <h1 className="min-w-0 truncate text-[15px] font-semibold tracking-tight" title={name}>
          {name}
        </h1>
        {workspace !== undefined && !narrow && <StateBadge state={workspace.state} />}
        {!live.connected && (
          <span role="status" className="flex items-center gap-1.5 text-xs text-wait">
            <SpinnerIcon className="size-3.5" />
            <span className="hidden sm:inline">Reconnecting</span>
          </span>
        )}
        {workspace !== undefined && !narrow && (
          <div className="ml-auto">
            <WorkspaceActions workspace={workspace} />
          </div>
        )}
      </TopBar>
      {workspace !== undefined && <WorkspaceHeader workspace={workspace} narrow={narrow} />}
      {workspace === undefined && error === null && (
        <p role="status" className="flex items-center gap-2 p-6 text-sm text-muted">
          <SpinnerIcon /> Loading
        </p>
      )}
      {workspace === undefined && error !== null && (
        <main className="mx-auto w-full max-w-2xl space-y-4 p-6">
          <Notice title={wireError(error).message} />
          <Link to="/" className="text-sm text-accent underline">
            All workspaces
          </Link>
        </main>
      )}
      {workspace?.state === "running" && <Running live={live} workspace={workspace} />}
      {workspace !== undefined && workspace.state !== "running" && (
        <NotRunning live={live} workspace={workspace} />
      )}
    </div>
  );
}

interface PartProps {
  live: LiveWorkspace;
  workspace: NonNullable<LiveWorkspace["workspace"]>;
}

function Running({ live, workspace }: PartProps) {
  const navigate = useNavigate();
  const { terminal } = useSearch({ from: "/signed-in/workspaces/$name" });
  const [activity, setActivity] = useState(false);
  const choose = useCallback(
    (id: string | undefined) => {
      void navigate({
        to: "/workspaces/$name",
        params: { name: workspace.name },
        search: id === undefined ? {} : { terminal: id },
        replace: true,
      });
    },
    [navigate, workspace.name],
  );
  return (
    <main className="relative flex min-h-0 flex-1">
      <Terminals workspace={workspace} chosen={terminal} onChoose={choose}>
        <Button
          kind="quiet"
          size="small"
          aria-expanded={activity}
          onClick={() => setActivity(!activity)}
        >
          <ActivityIcon />
          <span className="sr-only sm:not-sr-only">Activity</span>
          {live.leftOut.length > 0 && (
            <span className="rounded-full bg-wait-soft px-1.5 text-xs text-wait">
              {live.leftOut.length}
              <span className="sr-only"> not run</span>
            </span>
          )}
        </Button>
      </Terminals>
      {activity && (
        <ActivityDrawer
          events={live.events}
          leftOut={live.leftOut}
          state={workspace.state}
          onClose={() => setActivity(false)}
        />
      )}
    </main>
  );
}

function NotRunning({ live, workspace }: PartProps) {
  const { state, error, name } = workspace;
  const start = useMutation(trpc.workspaces.start.mutationOptions());
  return (
    <main className="min-h-0 flex-1 overflow-y-auto">
      <div className="mx-auto max-w-2xl space-y-6 px-4 py-8 sm:px-6">
        {state === "failed" && error !== null && (
          <Notice title={error.message}>
            <Button disabled={start.isPending} onClick={() => start.mutate({ workspace: name })}>
              <PlayIcon className="size-3.5" /> Try again
            </Button>
          </Notice>
        )}
        {state === "stopped" && (
          <div className="flex flex-wrap items-center justify-between gap-4 rounded-xl border border-line bg-surface p-4">
            <p className="text-sm">Stopped. Source and home are kept.</p>
            <Button
              kind="solid"
              disabled={start.isPending}
              onClick={() => start.mutate({ workspace: name })}
            >
              <PlayIcon className="size-3.5" /> Start it
            </Button>
          </div>
        )}
        <Activity events={live.events} leftOut={live.leftOut} state={state} />
      </div>
    </main>
  );
}
