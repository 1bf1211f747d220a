import { describe, expect, it } from "vitest";
import { readEvent as read } from "../../../server/engine/docker/events.ts";
import { Names } from "../../../server/engine/docker/names.ts";

const names = new Names("aaaaaaaa");
const readEvent = (event: Parameters<typeof read>[0]): ReturnType<typeof read> =>
  read(event, names);

function event(Action: string, labels: Record<string, string>): Parameters<typeof readEvent>[0] {
  const own = { "oneloop.installation": "aaaaaaaa" };
  return { Type: "container", Action, Actor: { Attributes: { ...own, ...labels } } };
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

  it("reads the death of a service's sandbox as its own, by the name that it has now", () => {
    const labels = { "oneloop.workspace": "w1", "oneloop.role": "sandbox", "oneloop.service": "" };
    const seen = readEvent(event("die", { ...labels, name: "oneloop-aaaaaaaa-w1-a_b_sandbox" }));
    expect(seen?.service).toBe("a_b");
  });

  it("passes over jobs, other events, and containers of the installation itself", () => {
    expect(readEvent(event("die", { ...member, "oneloop.role": "job" }))).toBeNull();
    expect(readEvent(event("start", member))).toBeNull();
    expect(readEvent(event("die", { "oneloop.workspace": "", "oneloop.role": "dev" }))).toBeNull();
  });

  it("passes over another installation's members", () => {
    const theirs = { ...member, "oneloop.installation": "bbbbbbbb", exitCode: "1" };
    expect(readEvent(event("die", theirs))).toBeNull();
  });

  it("reads the loss of a workspace's network, by its name", () => {
    const lost = (name: string, Action = "disconnect"): ReturnType<typeof readEvent> =>
      readEvent({ Type: "network", Action, Actor: { Attributes: { name, container: "c1" } } });
    const cutOff = { owner, service: null, kind: "cut-off", exitCode: null };
    expect(lost("oneloop-aaaaaaaa-w1")).toEqual(cutOff);
    expect(lost("oneloop-aaaaaaaa-cache")?.owner).toEqual({ kind: "part", id: "cache" });
    expect(lost("oneloop-bbbbbbbb-w1")).toBeNull();
    expect(lost("bridge")).toBeNull();
    // It cannot be destroyed before it is disconnected.
    expect(lost("oneloop-aaaaaaaa-w1", "destroy")).toBeNull();
  });
});
