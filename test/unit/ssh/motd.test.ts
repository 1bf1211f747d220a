import { expect, test } from "vitest";
import type { TerminalView, WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { chooseTerminal, readAttach } from "../../../server/ssh/attach.ts";
import { motd } from "../../../server/ssh/motd.ts";

const workspace: WorkspaceSummary = {
  id: "w1",
  name: "shop-main-abc",
  state: "running",
  error: null,
  url: "http://app.localhost/workspaces/shop-main-abc",
  repository: "https://example.org/shop",
  branch: "main",
  ref: "refs/heads/main",
  commit: "0123456789abcdef",
  behind: null,
  work: null,
  createdAt: "",
  lastUsedAt: "",
  ssh: { host: "localhost", port: 22, user: "shop-main-abc" },
  ports: [],
  services: [],
};
const terminal = (id: string, detached: boolean, title = "bash"): TerminalView => ({
  ...{ id, service: null, title, task: null, running: true, exitCode: null, detached },
});
const service = {
  ...{ ports: [], mirrored: true, built: false, restarts: 0, reason: null, since: null },
} as const;
const port = { protocol: "http", visibility: "private", process: null, name: null } as const;

test("a login is told where it is, what runs and listens there, and what was left", () => {
  const text = motd(
    {
      ...workspace,
      behind: 2,
      work: { uncommitted: 1, unpushed: 0, stashes: 0, head: null, at: "" },
      services: [
        { ...service, name: "web", state: "running", health: "ready", image: "web" },
        { ...service, name: "database", state: "exited", health: null, image: "db" },
      ],
      ports: [
        { ...port, port: 3000, url: "http://3000-shop/", listening: true, service: "web" },
        { ...port, port: 80, url: "http://80-shop/", listening: false, service: null },
      ],
    },
    [terminal("t1", false), terminal("t2", true, "vim \u001B]0;notes\u0007notes.txt")],
  );
  expect(text).toBe(
    [
      "",
      "  Workspace     shop-main-abc",
      "  Branch        main: 2 commits behind its remote, 1 file not committed",
      "  Services      web       running, ready",
      "                database  exited",
      "  Ports         3000  web  http://3000-shop/",
      "                80         nothing listens yet",
      "  Left running  loop attach shop-main-abc  vim notes.txt",
      "",
      "",
    ].join("\r\n"),
  );
});

test("what there is not is not named, and what is many is cut", () => {
  const text = motd({ ...workspace, branch: null, ref: "refs/tags/v2" }, []);
  expect(text).toBe("\r\n  Workspace     shop-main-abc\r\n  Branch        v2\r\n\r\n");
  const several = motd(workspace, [terminal("t1", true), terminal("t2", true)]);
  expect(several).toContain("loop attach shop-main-abc t1  bash");
  const ports = Array.from({ length: 40 }, (_, index) => ({
    ...{ ...port, port: 3000 + index, url: "http://x/", listening: true, service: null },
  }));
  const many = motd({ ...workspace, ports }, []);
  expect(many).toContain("and 29 more\r\n");
  expect(many).not.toContain("3011");
});

test("which terminal is attached", () => {
  expect(readAttach("oneloop-attach")).toEqual({ id: null });
  expect(readAttach("oneloop-attach t-1_x")).toEqual({ id: "t-1_x" });
  for (const other of ["sftp", "oneloop-attach ", "oneloop-attach a b", "oneloop-attach ../x"]) {
    expect(readAttach(other)).toBeNull();
  }
  const list = [terminal("t1", false), terminal("t2", true)];
  expect(chooseTerminal(list, null).id).toBe("t2");
  expect(chooseTerminal(list, "t1").id).toBe("t1");
  expect(() => chooseTerminal(list, "t3")).toThrow("no such terminal");
  expect(() => chooseTerminal([terminal("t1", false)], null)).toThrow("is left running");
  expect(() => chooseTerminal([...list, terminal("t3", true, "vim")], null)).toThrow("t3 (vim)");
});
