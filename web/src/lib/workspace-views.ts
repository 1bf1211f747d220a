/** What a workspace's page shows beside the terminals, or on a narrow screen in their place. */
export const workspaceViews = ["ports", "services", "drift", "events", "connect", "about"] as const;

export type WorkspaceView = (typeof workspaceViews)[number];

/** The search of a workspace's address. */
export interface WorkspaceSearch {
  terminal?: string;
  view?: WorkspaceView;
  /** With the services: in the terminals' place the log of this one, or of `*`, all of them. */
  logs?: string;
  /** With the drift: what it is compared with, where that is not the production that it mirrors. */
  environment?: string;
  /** Of the environment's Compose projects. */
  project?: string;
  /** In the terminals' place both sources of this finding. */
  finding?: string;
}

export const allServices = "*";

export function readWorkspaceSearch(search: Record<string, unknown>): WorkspaceSearch {
  const { terminal, logs } = search;
  // A service, and so an environment, may be called 80, which an address gives as a number.
  const named = (key: "environment" | "project" | "finding"): Partial<WorkspaceSearch> => {
    const value = search[key];
    return view === "drift" && (typeof value === "string" || typeof value === "number")
      ? { [key]: String(value) }
      : {};
  };
  const view = workspaceViews.find((each) => each === search["view"]);
  return {
    ...(typeof terminal === "string" ? { terminal } : {}),
    ...(view === undefined ? {} : { view }),
    ...(view === "services" && (typeof logs === "string" || typeof logs === "number")
      ? { logs: String(logs) }
      : {}),
    ...named("environment"),
    ...named("project"),
    ...named("finding"),
  };
}
