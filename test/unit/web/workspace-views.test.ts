import { expect, test } from "vitest";
import { readWorkspaceSearch } from "../../../web/src/lib/workspace-views.ts";

test("a workspace's address says what is shown, and what belongs to another view is not kept", () => {
  const drift = { view: "drift", environment: "production", project: 80, finding: "user:web" };
  expect(readWorkspaceSearch({ ...drift, terminal: "1", logs: "*" })).toEqual({
    ...{ view: "drift", environment: "production", project: "80", finding: "user:web" },
    terminal: "1",
  });
  expect(readWorkspaceSearch({ ...drift, view: "services", logs: 80 })).toEqual({
    ...{ view: "services", logs: "80" },
  });
  expect(readWorkspaceSearch({ view: "nothing", finding: "x", logs: {}, terminal: 7 })).toEqual({});
});
