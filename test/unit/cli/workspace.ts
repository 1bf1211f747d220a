import type { WorkspaceDetail } from "../../../server/protocol/workspace.ts";

/** A workspace whose texts try to steer the terminal. */
export const workspaceDetail: WorkspaceDetail = {
  id: "w1",
  name: "govapp-main-abc",
  state: "running",
  error: null,
  url: "http://app.localhost:7700/w/govapp-main-abc",
  repository: "file:///srv/govapp.git",
  branch: "main",
  commit: "0123456789abcdef0123456789abcdef01234567",
  ref: "refs/heads/main",
  behind: null,
  work: null,
  createdAt: "2026-01-05T09:00:00.000Z",
  lastUsedAt: "2026-01-05T09:00:00.000Z",
  ssh: { host: "localhost", port: 7722, user: "govapp-main-abc" },
  ports: [
    {
      port: 3000,
      protocol: "http",
      visibility: "private",
      url: "http://3000-govapp-main-abc.localhost:7700/",
      listening: true,
      service: null,
      process: null,
      name: "portal",
    },
  ],
  services: [
    {
      name: "front-end",
      state: "running",
      health: null,
      image: "govapp/x:\u001B[2Jdev",
      ports: [3000],
    },
  ],
  events: [
    {
      id: 1,
      at: "2026-01-05T09:00:00.000Z",
      level: "info",
      code: "sandbox-ready",
      message: "Ready.",
    },
    {
      id: 2,
      at: "2026-01-05T09:00:01.000Z",
      level: "warning",
      code: "unknown-key",
      message: "evil\u001B]0;pwned\u0007 name",
      file: "devfile.yaml",
      line: 3,
      column: 5,
    },
  ],
  leftOut: [{ what: "events", why: "not supported", where: "devfile.yaml:9:3" }],
};
