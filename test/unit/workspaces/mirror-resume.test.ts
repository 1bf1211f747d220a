import { describe, expect, it } from "vitest";
import { OneloopError } from "../../../server/protocol/errors.ts";
import { execProbe, mirrored, MirrorRig, owner, waitsFor } from "./mirror-rig.ts";

const builds = [
  { image: "shop/api:1", context: "api", dockerfile: "Dockerfile", args: {}, target: null },
];
const build = { context: "api", dockerfile: "api/Dockerfile", args: {}, target: null };
const starts = (rig: MirrorRig): number =>
  rig.engine.calls.filter((call) => call === "ensureService").length;

describe("a control plane that was killed", () => {
  it("leaves what runs alone, and goes on with what waits", async () => {
    await using rig = await MirrorRig.start([
      mirrored("db", { readiness: execProbe() }),
      mirrored("migrate", { role: "job", restart: "no", ...waitsFor("db", "healthy") }),
      mirrored("api", waitsFor("migrate", "completed")),
    ]);
    await rig.until("db", ({ health }) => health === "ready");
    await rig.state("migrate", "running");
    const before = starts(rig);
    await rig.restart();
    rig.engine.end(owner, "migrate", { exitCode: 0 });
    await rig.state("api", "running");
    expect(starts(rig)).toBe(before + 1);
    expect(await rig.until("db", () => true)).toMatchObject({ health: "ready", restarts: 0 });
    expect(rig.states).toEqual({ db: "running", migrate: "completed", api: "running" });
  });

  it("sees what ended meanwhile, and does with it as production would", async () => {
    await using rig = await MirrorRig.start([
      mirrored("api"),
      mirrored("job", { role: "job", restart: "no" }),
    ]);
    await rig.state("api", "running");
    await rig.state("job", "running");
    await rig.mirrors[Symbol.asyncDispose]();
    rig.engine.end(owner, "api", { exitCode: 1 });
    rig.engine.end(owner, "job", { exitCode: 0 });
    await rig.restart();
    await rig.state("job", "completed");
    await rig.timers.pass(1000);
    await rig.until("api", (row) => row.state === "running" && row.restarts === 1);
  });

  it("waits for a database and an engine that do not answer yet", async () => {
    await using rig = await MirrorRig.start([mirrored("api")]);
    await rig.state("api", "running");
    rig.engine.failNext("observe", new OneloopError("engine-unreachable", "It is away."));
    await rig.restart();
    await rig.timers.pass(5000);
    rig.engine.end(owner, "api", { exitCode: 1 });
    await rig.state("api", "backing-off");
  });
});

describe("the end of a workspace", () => {
  it("ends what is being done, starts nothing any more, and forgets the states", async () => {
    await using rig = await MirrorRig.start([
      mirrored("api"),
      mirrored("web", waitsFor("api", "started")),
      mirrored("crashing"),
    ]);
    for (const name of ["api", "web", "crashing"]) await rig.state(name, "running");
    rig.engine.end(owner, "crashing", { exitCode: 1 });
    await rig.state("crashing", "backing-off");
    rig.engine.hangNext("ensureService");
    const begun = starts(rig);
    rig.mirrors.restart(rig.row, "api");
    while (starts(rig) === begun) await rig.engine.observe(owner);
    await rig.mirrors.ended(owner.id);
    expect(rig.store.rows.size).toBe(0);
    expect(rig.timers.sleeping).toBe(0);
    const before = starts(rig);
    rig.engine.end(owner, "web", { exitCode: 1 });
    rig.timers.skip(60_000);
    await rig.engine.observe(owner);
    expect(starts(rig)).toBe(before);
    // A new start of the workspace begins anew.
    rig.mirrors.running(rig.row);
    expect(await rig.state("web", "running")).toMatchObject({ restarts: 0 });
  });
});

describe("a rebuild", () => {
  it("builds from the workspace's files, and starts the service with what came of it", async () => {
    await using rig = await MirrorRig.start([mirrored("api", { build })], { builds });
    await rig.state("api", "running");
    rig.mirrors.rebuild(rig.row, "api");
    const up = await rig.until("api", (row) => row.state === "running" && row.restarts === 1);
    expect(up.reason).toBe("It was asked to start again.");
    expect(rig.engine.calls.filter((call) => call === "buildImage")).toHaveLength(2);
  });

  it("leaves what runs as it is where the build fails, and says why", async () => {
    await using rig = await MirrorRig.start([mirrored("api", { build })], { builds });
    await rig.state("api", "running");
    rig.engine.failNext("buildImage", new OneloopError("image-unavailable", "RUN false failed."));
    rig.mirrors.rebuild(rig.row, "api");
    const kept = await rig.until("api", ({ reason }) => reason?.includes("RUN false") === true);
    expect(kept).toMatchObject({ state: "running", restarts: 0 });
    expect(await rig.running()).toEqual(["api"]);
    expect(rig.events).toContainEqual(
      expect.objectContaining({ level: "error", code: "image-unavailable" }),
    );
  });

  it("is refused for what is not built, and for what is not production's", async () => {
    await using rig = await MirrorRig.start([mirrored("api")]);
    await rig.state("api", "running");
    expect(() => rig.mirrors.rebuild(rig.row, "api")).toThrow(
      /runs the image shop\/api:1 as it is/,
    );
    expect(() => rig.mirrors.restart(rig.row, "dev")).toThrow(/mirrors no service of production/);
    expect(() => rig.mirrors.restart(rig.row, "none")).toThrow(/has no service none/);
    const stopped = { ...rig.row, state: "stopped" as const };
    expect(() => rig.mirrors.restart(stopped, "api")).toThrow(/app is stopped/);
  });
});

it("500 services start a few at a time, and are written down together", async () => {
  const readiness = execProbe();
  const services = Array.from({ length: 500 }, (_one, at) =>
    mirrored(`s${at}`, { readiness, ...(at < 5 ? {} : waitsFor(`s${at % 5}`, "healthy")) }),
  );
  await using rig = await MirrorRig.start(services);
  const ready = (name: string) => rig.until(name, ({ health }) => health === "ready");
  for (const { name } of services) await ready(name);
  expect(starts(rig)).toBe(500);
  // Far fewer than the changes, which are some thousands.
  expect(rig.store.writes).toBeLessThan(1500);
  // One each: the next look of its readiness.
  expect(rig.timers.sleeping).toBeLessThanOrEqual(500);
});
