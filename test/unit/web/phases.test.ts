import { expect, test } from "vitest";
import type { WorkspaceEvent } from "../../../server/protocol/workspace.ts";
import { isOutput, lastStart, phasesOf } from "../../../web/src/lib/phases.ts";

function events(...codes: (string | [string, WorkspaceEvent["level"]])[]): WorkspaceEvent[] {
  return codes.map((given, index) => {
    const [code, level] = typeof given === "string" ? [given, "info" as const] : given;
    const at = new Date(index * 1000).toISOString();
    return { id: index + 1, at, level, code, message: `${code} ${index}` };
  });
}

function states(...given: Parameters<typeof phasesOf>): string {
  return phasesOf(...given)
    .map(({ name, state }) => `${name} ${state}`)
    .join(", ");
}

test("source, images and network go on at once; the services wait for them", () => {
  expect(states([], "starting")).toBe(
    "source active, images active, network active, services waiting",
  );
  expect(states(events("image", "sandbox-ready", "checked-out"), "starting")).toBe(
    "source done, images active, network done, services waiting",
  );
  expect(states(events("checked-out", "sandbox-ready", "start"), "starting")).toBe(
    "source done, images done, network done, services active",
  );
});

test("what was not done when a start failed is told", () => {
  const failed = events("sandbox-ready", "checked-out", ["image-unavailable", "error"]);
  expect(states(failed, "failed")).toBe(
    "source done, images failed, network done, services not-reached",
  );
});

test("a build's lines belong to its phase, in order, and a phase tells its end", () => {
  const phases = phasesOf(events("image", "image", "sandbox-ready"), "starting");
  expect(phases.find(({ name }) => name === "images")?.output).toHaveLength(2);
  expect(phases.find(({ name }) => name === "network")).toMatchObject({
    endedAt: "1970-01-01T00:00:02.000Z",
    result: "sandbox-ready 2",
  });
});

test("a second start shows nothing of the first, but for the source that is kept", () => {
  const all = events("checked-out", "sandbox-ready", "started", "stopped", "sandbox-ready");
  expect(lastStart(all, "starting").map(({ id }) => id)).toEqual([5]);
  expect(states(all, "starting")).toBe(
    "source done, images active, network done, services waiting",
  );
});

test("a start that failed is shown with its own error, not with the one before", () => {
  const all = events(["image-unavailable", "error"], "sandbox-ready", [
    "container-exited",
    "error",
  ]);
  expect(lastStart(all, "failed").map(({ id }) => id)).toEqual([2, 3]);
});

test("output is the lines of builds, pulls and checkouts; what is said of them is not", () => {
  expect(events("image", "checkout", "started", ["image", "error"]).map(isOutput)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
