import { describe, expect, it } from "vitest";
import { readEvent } from "../../../server/engine/docker/events.ts";

function event(Action: string, labels: Record<string, string>): Parameters<typeof readEvent>[0] {
  return { Action, Actor: { Attributes: labels } };
}

const member = { "oneloop.workspace": "w1", "oneloop.role": "service", "oneloop.service": "db" };
const owner = { kind: "workspace", id: "w1" };

describe("readEvent", () => {
  it("reads deaths with their status, ends for memory, and removals", () => {
    expect(readEvent(event("die", { ...member, exitCode: "137" }))).toEqual({
      owner,
      service: "db",
      kind: "died",
      exitCode: 137,
    });
    expect(readEvent(event("oom", member))?.kind).toBe("out-of-memory");
    expect(readEvent(event("destroy", member))?.kind).toBe("removed");
  });

  it("reads the death of a sandbox as nobody's service", () => {
    const labels = { "oneloop.workspace": "w1", "oneloop.role": "sandbox", exitCode: "0" };
    expect(readEvent(event("die", labels))).toEqual({
      owner,
      service: null,
      kind: "died",
      exitCode: 0,
    });
  });

  it("passes over jobs, other events, and containers of the installation itself", () => {
    expect(readEvent(event("die", { ...member, "oneloop.role": "job" }))).toBeNull();
    expect(readEvent(event("start", member))).toBeNull();
    expect(readEvent(event("die", { "oneloop.workspace": "", "oneloop.role": "dev" }))).toBeNull();
  });
});
