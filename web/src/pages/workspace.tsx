import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect } from "react";
import { Button } from "../components/button.tsx";
import { DriftSources } from "../components/drift-sources.tsx";
import { Failure } from "../components/failure.tsx";
import { PlayIcon } from "../components/icons.tsx";
import { Loading } from "../components/loading.tsx";
import { Notice } from "../components/notice.tsx";
import { PageHeading } from "../components/page.tsx";
import { ServiceLogs } from "../components/service-logs.tsx";
import { Startup } from "../components/startup.tsx";
import { StateBadge } from "../components/state-badge.tsx";
import { Terminals } from "../components/terminals.tsx";
import { TopBar } from "../components/top-bar.tsx";
import { WorkspaceActions } from "../components/workspace-actions.tsx";
import { ViewPanel, ViewTabs } from "../components/workspace-panel.tsx";
import { useWorkspace, type LiveWorkspace } from "../lib/live.ts";
import { usePageTitle } from "../lib/page-title.ts";
import { showToast } from "../lib/toasts.ts";
import { useNarrow } from "../lib/use-narrow.ts";
import { useWishes, type Wishes } from "../lib/wishes.ts";

/**
 * `/workspaces/<name>?terminal=<id>&view=<view>`: the way there while it starts, its terminals when
 * it runs, and beside them (on a narrow screen in their place) one of the views.
 */
export function WorkspacePage() {
  const { name } = useParams({ from: "/signed-in/workspaces/$name" });
  // Another workspace is another page: nothing heard of one may show in the other.
  return <WorkspaceView key={name} name={name} />;
}

function WorkspaceView({ name }: { name: string }) {
  const navigate = useNavigate();
  const live = useWorkspace(name);
  const { workspace, deleted, error } = live;
  const wishes = useWishes();
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
        <Crumb name={name} />
        {workspace !== undefined && (
          <>
            <StateBadge state={workspace.state} short={narrow} />
            <div className="ml-auto pl-2">
              <WorkspaceActions workspace={workspace} wishes={wishes} onItsPage />
            </div>
          </>
        )}
      </TopBar>
      <main id="main" className="flex min-h-0 flex-1 flex-col">
        {workspace === undefined ? (
          <div className="mx-auto w-full max-w-2xl space-y-4 p-6">
            {error === null ? <Loading /> : <Failure error={error} />}
            {error !== null && (
              <Link to="/" className="text-sm underline underline-offset-2">
                All workspaces
              </Link>
            )}
          </div>
        ) : (
          <>
            <Failure error={wishes.start.error ?? wishes.stop.error} className="m-3" />
            <Body live={live} workspace={workspace} wishes={wishes} narrow={narrow} />
          </>
        )}
      </main>
    </div>
  );
}

function Crumb({ name }: { name: string }) {
  return (
    <div className="flex min-w-0 items-center gap-2 pr-1">
      <span aria-hidden="true" className="text-line-strong">
        /
      </span>
      <div className="min-w-0 truncate [&>h1]:truncate [&>h1]:text-[15px]" title={name}>
        <PageHeading>{name}</PageHeading>
      </div>
    </div>
  );
}

interface PartProps {
  live: LiveWorkspace;
  workspace: NonNullable<LiveWorkspace["workspace"]>;
  wishes: Wishes;
}

function Body({ live, workspace, wishes, narrow }: PartProps & { narrow: boolean }) {
  const { view, logs, finding } = useSearch({ from: "/signed-in/workspaces/$name" });
  const inTheirPlace = logs !== undefined || finding !== undefined;
  // Hidden, not gone: what a terminal shows stays, and its connection too.
  const covered = inTheirPlace || (narrow && view !== undefined);
  return (
    <div className="flex min-h-0 flex-1 flex-col md:flex-row">
      {/* The terminals come last, though they stand first: they take the Tab key for themselves. */}
      <ViewTabs view={view} narrow={narrow} workspace={workspace} leftOut={live.leftOut.length} />
      {view !== undefined && !(narrow && inTheirPlace) && (
        <ViewPanel view={view} live={live} workspace={workspace} wishes={wishes} />
      )}
      {logs !== undefined && <ServiceLogs workspace={workspace} shown={logs} />}
      {finding !== undefined && <DriftSources workspace={workspace} shown={finding} />}
      <div className={`min-h-0 min-w-0 flex-1 order-1 ${covered ? "hidden" : "flex"}`}>
        {workspace.state === "running" ? (
          <RunningTerminals workspace={workspace} />
        ) : (
          <NotRunning live={live} workspace={workspace} wishes={wishes} />
        )}
      </div>
    </div>
  );
}

function RunningTerminals({ workspace }: Pick<PartProps, "workspace">) {
  const navigate = useNavigate();
  const { terminal } = useSearch({ from: "/signed-in/workspaces/$name" });
  const { name } = workspace;
  const choose = useCallback(
    (id: string | undefined) => {
      void navigate({
        to: "/workspaces/$name",
        params: { name },
        search: ({ terminal: _before, ...others }) =>
          id === undefined ? others : { ...others, terminal: id },
        replace: true,
      });
    },
    [navigate, name],
  );
  return <Terminals workspace={workspace} chosen={terminal} onChoose={choose} />;
}

/** What it waits for, why it failed and what to do, or that it is stopped. */
function NotRunning({ live, workspace, wishes }: PartProps) {
  const { state, error, name } = workspace;
  const { start } = wishes;
  return (
    <div className="min-h-0 flex-1 overflow-y-auto">
      <div className="mx-auto max-w-3xl space-y-5 px-4 py-6 sm:px-6 sm:py-8">
        {state === "failed" && error !== null && (
          <Notice title={error.message}>
            <p className="text-[13px] text-pretty">
              Source and home are kept. Starting again tries everything anew; if the devfile asks
              for the wrong thing, change it on a branch of the repository and open that.
            </p>
            <Button
              className="mt-3"
              busy={start.isPending}
              onClick={() => start.mutate({ workspace: name })}
            >
              <PlayIcon className="size-3.5" /> Start again
            </Button>
          </Notice>
        )}
        {state === "stopped" && (
          <div className="flex flex-wrap items-center justify-between gap-4 rounded-xl border border-line bg-surface p-4">
            <p className="text-sm">
              It is stopped. Source and home are kept.
              <span className="block text-[13px] text-muted">
                <code className="font-mono">ssh</code> starts it too.
              </span>
            </p>
            <Button
              kind="solid"
              busy={start.isPending}
              onClick={() => start.mutate({ workspace: name })}
            >
              <PlayIcon className="size-3.5" /> Start it
            </Button>
          </div>
        )}
        {(state === "stopping" || state === "deleting") && (
          <Loading
            what={
              state === "stopping"
                ? "Stopping. Source and home are kept."
                : "Deleting its containers, source and home."
            }
          />
        )}
        {(state === "starting" || state === "failed") && (
          <Startup events={live.events} state={state} />
        )}
      </div>
    </div>
  );
}
