import { expect, it } from "vitest";
import { OneloopError } from "../../../server/protocol/errors.ts";
import { WorkspaceState } from "../../../server/protocol/workspace.ts";
import { assertTransition } from "../../../server/workspaces/states.ts";

it("a stopped workspace runs only by starting", () => {
  expect(() => assertTransition("stopped", "running")).toThrow(OneloopError);
  expect(() => assertTransition("stopped", "starting")).not.toThrow();
  expect(() => assertTransition("starting", "running")).not.toThrow();
});

it("nothing that is being deleted comes to run again", () => {
  expect(() => assertTransition("deleting", "running")).toThrow(OneloopError);
  expect(() => assertTransition("deleting", "starting")).toThrow(OneloopError);
});

it("every state can be deleted, and staying is no transition", () => {
  for (const state of WorkspaceState.options) {
    expect(() => assertTransition(state, "deleting")).not.toThrow();
    expect(() => assertTransition(state, state)).not.toThrow();
  }
});
