/** What a workspace's page shows beside the terminals, or on a narrow screen in their place. */
export const workspaceViews = ["ports", "services", "events", "connect", "about"] as const;

export type WorkspaceView = (typeof workspaceViews)[number];

/** The search of a workspace's address. */
export interface WorkspaceSearch {
  terminal?: string;
  view?: WorkspaceView;
  /** With the services: in the terminals' place the log of this one, or of `*`, all of them. */
  logs?: string;
}

export const allServices = "*";

export function readWorkspaceSearch(search: Record<string, unknown>): WorkspaceSearch {
  const { terminal, logs } = search;
  const view = workspaceViews.find((each) => each === search["view"]);
  return {
    ...(typeof terminal === "string" ? { terminal } : {}),
    ...(view === undefined ? {} : { view }),
    // A service may be called 80, which an address gives as a number.
    ...(view === "services" && (typeof logs === "string" || typeof logs === "number")
      ? { logs: String(logs) }
      : {}),
  };
}
