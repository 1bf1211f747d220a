import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { initTRPC, tracked } from "@trpc/server";
import { createHTTPServer } from "@trpc/server/adapters/standalone";
import { expect, test } from "vitest";
import { createApi } from "../../../cli/src/api.ts";
import { follow, type Goal } from "../../../cli/src/follow.ts";
import { Output } from "../../../cli/src/output.ts";
import type { WorkspaceSummary, WorkspaceUpdate } from "../../../server/protocol/workspace.ts";
import { workspaceDetail } from "./workspace.ts";

/** The real client and the real transport; what the control plane says is a list. */
async function followUpdates(goal: Goal, updates: readonly WorkspaceUpdate[]) {
  const t = initTRPC.context<{ authorization: string | undefined }>().create();
  const router = t.router({
    workspaces: t.router({
      watch: t.procedure
        .input((value) => value)
        .subscription(async function* ({ ctx, signal }) {
          if (ctx.authorization !== "Bearer secret") throw new Error("no token");
          for (const update of updates) yield tracked("1", update);
          // As the control plane does: it stays until the client leaves or there is nothing to say.
          if (updates.at(-1)?.kind === "deleted") return;
          if (signal !== undefined && !signal.aborted) await once(signal, "abort");
        }),
    }),
  });
  const server = createHTTPServer({
    router,
    basePath: "/trpc/",
    createContext: ({ req }) => ({ authorization: req.headers.authorization }),
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const notes: string[] = [];
  const output = new Output(
    { write: () => true },
    { write: (text: string) => notes.push(text.replace(/^ *\d+ ms {2}/, "")) },
  );
  try {
    const { port } = server.address() as AddressInfo;
    const api = await createApi(`http://127.0.0.1:${port}`, "secret");
    const options = { output, afterEvent: 0, began: performance.now() };
    const last = await follow(api, { id: "w1", goal }, options);
    return { last, notes };
  } finally {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
}

const { events, ...summary } = workspaceDetail;
const state = (changes: Partial<WorkspaceSummary>): WorkspaceUpdate => {
  return { kind: "state", workspace: { ...summary, ...changes } };
};

test("an open ends when the workspace runs, and shows each event once", async () => {
  const { last, notes } = await followUpdates("running", [
    state({ state: "starting" }),
    ...events.map((event) => ({ kind: "event" as const, event })),
    state({ state: "running" }),
  ]);
  expect(last?.state).toBe("running");
  expect(notes).toEqual(["Ready.\n", "warning: devfile.yaml:3:5: evil name\n"]);
});

test("a start that fails ends with the workspace's own error", async () => {
  const error = { code: "image-unavailable", message: "There is no such image." } as const;
  await expect(
    followUpdates("running", [state({ state: "starting" }), state({ state: "failed", error })]),
  ).rejects.toMatchObject({ ...error, status: 2 });
});

test("a delete ends when the workspace is gone, and is refused when it is kept", async () => {
  const deleting = state({ state: "deleting" });
  const { last } = await followUpdates("deleted", [deleting, { kind: "deleted" }]);
  expect(last).toBeNull();
  await expect(
    followUpdates("deleted", [deleting, state({ state: "stopped" })]),
  ).rejects.toMatchObject({ code: "unsaved-work", status: 1 });
});

test("a stop ends when the workspace is stopped, and says so when somebody starts it again", async () => {
  const stopping = state({ state: "stopping" });
  const { last } = await followUpdates("stopped", [stopping, state({ state: "stopped" })]);
  expect(last?.state).toBe("stopped");
  for (const again of ["starting", "running"] as const) {
    await expect(
      followUpdates("stopped", [stopping, state({ state: again })]),
    ).rejects.toMatchObject({ code: "conflict", status: 1 });
  }
});
