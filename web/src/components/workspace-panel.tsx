import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { LiveWorkspace } from "../lib/live.ts";
import type { Wishes } from "../lib/wishes.ts";
import type { WorkspaceView } from "../lib/workspace-views.ts";
import { workspaceViews } from "../lib/workspace-views.ts";
import { About } from "./about.tsx";
import { Connect } from "./connect.tsx";
import { Drift } from "./drift.tsx";
import { EventLog } from "./event-log.tsx";
import {
  ActivityIcon,
  CompareIcon,
  CrossIcon,
  InfoIcon,
  PlugIcon,
  StackIcon,
  TerminalIcon,
  GlobeIcon,
} from "./icons.tsx";
import { Ports } from "./ports.tsx";
import { Services } from "./services.tsx";

type Workspace = NonNullable<LiveWorkspace["workspace"]>;

const views: Record<WorkspaceView, { title: string; icon: ReactNode }> = {
  ports: { title: "Ports", icon: <GlobeIcon /> },
  services: { title: "Services", icon: <StackIcon /> },
  drift: { title: "Drift", icon: <CompareIcon /> },
  events: { title: "Events", icon: <ActivityIcon /> },
  connect: { title: "Connect", icon: <PlugIcon /> },
  about: { title: "About", icon: <InfoIcon /> },
};

/** One view of the workspace, beside the terminals or in their place. */
export function ViewPanel({
  view,
  live,
  workspace,
  wishes,
}: {
  view: WorkspaceView;
  live: LiveWorkspace;
  workspace: Workspace;
  wishes: Wishes;
}) {
  const { title } = views[view];
  return (
    <section
      aria-label={title}
      className="order-2 flex min-h-0 w-full flex-1 flex-col border-line bg-surface md:w-96 md:flex-none md:border-l"
    >
      <div className="flex h-11 shrink-0 items-center justify-between border-b border-line pr-2 pl-4">
        <h2 className="text-sm font-semibold">{title}</h2>
        <Link
          to="/workspaces/$name"
          params={{ name: workspace.name }}
          search={({ terminal }) => (terminal === undefined ? {} : { terminal })}
          replace
          aria-label={`Close ${title}`}
          title="Close"
          className="grid size-7 place-content-center rounded-lg text-muted hover:bg-hover hover:text-ink"
        >
          <CrossIcon />
        </Link>
      </div>
      {/* Focusable, so that the keyboard can scroll it. */}
      <div
        tabIndex={0}
        aria-label={title}
        role="group"
        className="min-h-0 flex-1 overflow-y-auto p-4 focus-visible:-outline-offset-2"
      >
        {content()}
      </div>
    </section>
  );

  function content(): ReactNode {
    switch (view) {
      case "ports":
        return <Ports workspace={workspace} />;
      case "services":
        return <Services workspace={workspace} />;
      case "drift":
        return <Drift workspace={workspace} />;
      case "events":
        return <EventLog events={live.events} />;
      case "connect":
        return <Connect workspace={workspace} />;
      case "about":
        return <About workspace={workspace} leftOut={live.leftOut} refresh={wishes.refresh} />;
      default:
        return view satisfies never;
    }
  }
}

/** A rail at the side, or on a narrow screen a bar in reach of the thumb. */
export function ViewTabs({
  view,
  narrow,
  workspace,
  leftOut,
}: {
  view: WorkspaceView | undefined;
  narrow: boolean;
  workspace: Workspace;
  leftOut: number;
}) {
  const badges: Partial<Record<WorkspaceView, number>> = {
    ports: workspace.ports.filter(({ listening }) => listening).length,
    about: leftOut,
  };
  return (
    <nav
      aria-label="Views of the workspace"
      className="order-3 flex shrink-0 border-t border-line bg-surface pb-[env(safe-area-inset-bottom)] md:w-16 md:flex-col md:gap-1 md:border-t-0 md:border-l md:p-1.5"
    >
      {narrow && (
        <Tab
          name={workspace.name}
          target={undefined}
          current={view === undefined}
          title={workspace.state === "running" ? "Terminal" : "Start"}
          icon={<TerminalIcon />}
        />
      )}
      {workspaceViews.map((each) => (
        <Tab
          key={each}
          name={workspace.name}
          // On a wide screen the one that is shown can be put away.
          target={each === view && !narrow ? undefined : each}
          current={each === view}
          badge={badges[each] ?? 0}
          {...views[each]}
        />
      ))}
    </nav>
  );
}

function Tab({
  name,
  target,
  current,
  title,
  icon,
  badge = 0,
}: {
  name: string;
  target: WorkspaceView | undefined;
  current: boolean;
  title: string;
  icon: ReactNode;
  badge?: number;
}) {
  return (
    <Link
      to="/workspaces/$name"
      params={{ name }}
      search={({ terminal }) => ({
        ...(terminal === undefined ? {} : { terminal }),
        ...(target === undefined ? {} : { view: target }),
      })}
      replace
      aria-current={current ? "true" : undefined}
      className={`relative flex h-14 min-w-0 flex-1 flex-col items-center justify-center gap-1 text-[11px] font-medium md:h-13 md:flex-none md:rounded-lg ${
        current ? "text-ink md:bg-hover" : "text-muted hover:text-ink md:hover:bg-hover"
      } focus-visible:-outline-offset-2`}
    >
      <span className={current ? "text-accent" : ""}>{icon}</span>
      <span className="max-w-full truncate">{title}</span>
      {badge > 0 && (
        <span
          aria-hidden="true"
          className="absolute top-1.5 left-1/2 ml-1.5 min-w-4 rounded-full bg-accent-soft px-1 text-center text-[10px] leading-4 font-semibold text-accent"
        >
          {badge}
        </span>
      )}
    </Link>
  );
}
