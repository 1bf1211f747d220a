/** What a workspace's page shows beside the terminals, or on a narrow screen in their place. */
export const workspaceViews = ["ports", "services", "events", "connect", "about"] as const;

export type WorkspaceView = (typeof workspaceViews)[number];
