import { describe, expect, it } from "vitest";
import { OneloopError } from "../../../server/protocol/errors.ts";
import { execProbe, mirrored, MirrorRig, owner, waitsFor } from "./mirror-rig.ts";

describe("a workspace with production's services", () => {
  it("starts each when what it depends on is so far", async () => {
    let isReady = false;
    await using rig = await MirrorRig.start(
      [
        mirrored("web", waitsFor("api", "started")),
        mirrored("api", {
          dependsOn: [
            { service: "db", condition: "healthy", required: true },
            { service: "migrate", condition: "completed", required: true },
            { service: "dev", condition: "healthy", required: true },
          ],
        }),
        mirrored("migrate", { role: "job", restart: "no", ...waitsFor("db", "healthy") }),
        mirrored("db", { readiness: execProbe() }),
      ],
      { exec: () => (isReady ? 0 : 1) },
    );
    const db = await rig.until("db", ({ health }) => health === "starting");
    expect(db.state).toBe("running");
    const waiting = await rig.until("migrate", ({ reason }) => reason !== null);
    expect(waiting).toMatchObject({ state: "waiting", reason: "It waits for db to be ready." });
    expect(await rig.running()).toEqual(["db"]);

    isReady = true;
    await rig.timers.pass(250);
    await rig.state("migrate", "running");
    expect(await rig.running()).toEqual(["db", "migrate"]);
    const api = await rig.until("api", ({ reason }) => reason?.includes("migrate") === true);
    expect(api.reason).toBe("It waits for migrate to end with status 0.");

    rig.engine.end(owner, "migrate", { exitCode: 0 });
    await rig.state("web", "running");
    expect(rig.states).toEqual({
      db: "running",
      api: "running",
      migrate: "completed",
      web: "running",
    });
    expect((await rig.until("db", () => true)).health).toBe("ready");
    expect((await rig.until("web", () => true)).health).toBeNull();
  });

  it("says once that it is started, when all that need not wait are started or have failed", async () => {
    await using rig = await MirrorRig.start(
      [
        mirrored("db"),
        mirrored("mail", { restart: "no" }),
        mirrored("late", waitsFor("db", "completed")),
      ],
      { missingImages: ["shop/mail:1"] },
    );
    await rig.untilStarted(1);
    await rig.state("db", "running");
    await rig.state("mail", "failed");
    expect(rig.states["late"]).toBe("waiting");
    rig.engine.end(owner, "db", { exitCode: 1 });
    await rig.state("db", "backing-off");
    expect(rig.started).toEqual([1]);
    // Of the control plane after a kill, which resumes what runs.
    await rig.restart();
    await rig.untilStarted(2);
  });

  it("names the service that failed to those that wait for it, and the others go on", async () => {
    await using rig = await MirrorRig.start([
      mirrored("migrate", { role: "job", restart: "no" }),
      mirrored("api", waitsFor("migrate", "completed")),
      mirrored("mail"),
    ]);
    await rig.state("migrate", "running");
    rig.engine.end(owner, "migrate", { exitCode: 3 });
    const failed = await rig.state("migrate", "failed");
    expect(failed.reason).toMatch(/^It ended with status 3\. `loop logs` shows/);
    const api = await rig.until("api", ({ reason }) => reason?.includes("status 3") === true);
    expect(api.state).toBe("waiting");
    expect(api.reason).toContain(
      "It waits for migrate to end with status 0, which will not happen",
    );
    await rig.state("mail", "running");
    expect(rig.events).toContainEqual(
      expect.objectContaining({ level: "error", code: "container-exited" }),
    );
    // Somebody mends it.
    rig.mirrors.restart(rig.row, "migrate");
    await rig.state("migrate", "running");
    rig.engine.end(owner, "migrate", { exitCode: 0 });
    await rig.state("api", "running");
  });

  it("says of services that wait for each other that none of them can start", async () => {
    await using rig = await MirrorRig.start([
      mirrored("a", waitsFor("b", "started")),
      mirrored("b", waitsFor("c", "healthy")),
      mirrored("c", waitsFor("a", "started")),
      mirrored("d", waitsFor("a", "started")),
      mirrored("e"),
    ]);
    expect((await rig.state("a", "failed")).reason).toBe(
      "Nothing of this can start: a waits for b waits for c waits for a.",
    );
    await rig.state("e", "running");
    expect(rig.states).toMatchObject({ b: "failed", c: "failed", d: "waiting" });
  });

  it("starts what ends again, after a pause that grows and is short again after a long run", async () => {
    await using rig = await MirrorRig.start([mirrored("api")]);
    for (const [at, pauseMs] of [1000, 2000, 4000].entries()) {
      await rig.until("api", (row) => row.state === "running" && row.restarts === at);
      rig.engine.end(owner, "api", { exitCode: 1 });
      const off = await rig.state("api", "backing-off");
      expect(off.reason).toBe(
        `It ended with status 1. It is started again after ${pauseMs / 1000} s.`,
      );
      await rig.timers.pass(pauseMs);
    }
    const up = await rig.until("api", (row) => row.state === "running" && row.restarts === 3);
    expect(up.reason).toBe("It ended with status 1.");
    rig.timers.skip(10 * 60 * 1000);
    rig.engine.end(owner, "api", { exitCode: 0 });
    await rig.timers.slept(1000);
  });

  it("does what production's restart policy says", async () => {
    await using rig = await MirrorRig.start([
      mirrored("never", { restart: "no" }),
      mirrored("on-failure", { restart: "on-failure" }),
      mirrored("done", { restart: "on-failure" }),
    ]);
    for (const name of ["never", "on-failure", "done"]) await rig.state(name, "running");
    rig.engine.end(owner, "never", { exitCode: 137, outOfMemory: true });
    rig.engine.end(owner, "on-failure", { exitCode: 143 });
    rig.engine.end(owner, "done", { exitCode: 0 });
    expect((await rig.state("never", "failed")).reason).toMatch(
      /^It reached production's memory limit and was ended\./,
    );
    expect((await rig.state("on-failure", "backing-off")).reason).toMatch(/ended by SIGTERM/);
    await rig.state("done", "completed");
    expect(rig.events.map(({ code }) => code).sort()).toEqual([
      "container-exited",
      "out-of-memory",
    ]);
  });

  it("says why a service cannot start, tries it again as production would, and starts the others", async () => {
    await using rig = await MirrorRig.start(
      [mirrored("api"), mirrored("job", { restart: "no" }), mirrored("mail")],
      { missingImages: ["shop/api:1", "shop/job:1"] },
    );
    await rig.state("mail", "running");
    const api = await rig.state("api", "backing-off");
    expect(api.reason).toMatch(/shop\/api:1 is not on this engine\. It is started again after 1 s/);
    const job = await rig.state("job", "failed");
    expect(job.reason).toMatch(/shop\/job:1 is not on this engine\. `loop restart`/);
  });

  it("tries again what an engine that is away could not do, whatever the policy", async () => {
    await using rig = await MirrorRig.start([
      mirrored("first"),
      mirrored("job", { restart: "no", ...waitsFor("first", "healthy") }),
    ]);
    const away = new OneloopError("engine-unreachable", "The engine does not answer.");
    rig.engine.failNext("ensureService", away);
    await rig.state("first", "backing-off");
    await rig.timers.pass(1000);
    await rig.state("job", "running");
  });

  it("starts a service again whose liveness probe fails, with the reason", async () => {
    let exit = 0;
    const liveness = execProbe({ initialDelayS: 5, periodS: 7, failures: 2 });
    await using rig = await MirrorRig.start([mirrored("api", { liveness })], { exec: () => exit });
    await rig.timers.pass(5000);
    await rig.timers.slept(7000);
    exit = 1;
    await rig.timers.pass(7000);
    await rig.timers.pass(7000);
    const off = await rig.state("api", "backing-off");
    expect(off.reason).toMatch(
      /^Its liveness probe failed 2 times: its check ended with status 1\./,
    );
    expect(await rig.running()).toEqual([]);
    await rig.timers.pass(1000);
    const up = await rig.state("api", "running");
    expect(up.restarts).toBe(1);
    expect(rig.events).toContainEqual(expect.objectContaining({ code: "probe-failed" }));
  });

  it("takes a service out and in again as its readiness says, and does not restart it", async () => {
    let exit = 0;
    const readiness = execProbe({ failures: 2, successes: 1 });
    await using rig = await MirrorRig.start([mirrored("api", { readiness })], { exec: () => exit });
    await rig.until("api", ({ health }) => health === "ready");
    exit = 1;
    await rig.timers.pass(10_000);
    await rig.timers.pass(10_000);
    await rig.until("api", ({ health }) => health === "unready");
    exit = 0;
    await rig.timers.pass(10_000);
    const again = await rig.until("api", ({ health }) => health === "ready");
    expect(again).toMatchObject({ state: "running", restarts: 0 });
  });

  it("asks by no other probe until the startup probe says yes, and gives up when production would", async () => {
    const startup = execProbe({
      check: { kind: "exec", command: ["up"] },
      periodS: 1,
      failures: 2,
    });
    const asked: string[] = [];
    const exec = ({ command }: { command: readonly string[] }): number => {
      asked.push(command.join());
      return 1;
    };
    await using rig = await MirrorRig.start(
      [mirrored("api", { startup, readiness: execProbe(), liveness: execProbe() })],
      { exec },
    );
    for (const ms of [250, 500, 1000, 1000]) await rig.timers.pass(ms);
    const off = await rig.state("api", "backing-off");
    expect(off.reason).toMatch(/^Its startup probe failed 2 times/);
    expect(new Set(asked)).toEqual(new Set(["up"]));
  });

  it("asks over the network by the service's own name, a side container by its owner's", async () => {
    const check = { kind: "tcp", port: 81 } as const;
    await using rig = await MirrorRig.start([
      mirrored("api", { readiness: execProbe({ check }) }),
      mirrored("side", { role: "sidecar", partOf: "api", readiness: execProbe({ check }) }),
      mirrored("dev-side", { role: "sidecar", partOf: "dev", readiness: execProbe({ check }) }),
    ]);
    for (const name of ["api", "side", "dev-side"]) {
      await rig.until(name, ({ health }) => health === "starting");
    }
    await rig.timers.slept(250);
    expect([...rig.dialled].sort()).toEqual(["api:81", "api:81", "localhost:81"]);
  });

  it("does not restart for a probe that could not be asked", async () => {
    const liveness = execProbe({ check: { kind: "tcp", port: 81 }, failures: 1 });
    const unreachable = new OneloopError("supervisor-unreachable", "It does not answer.");
    await using rig = await MirrorRig.start([mirrored("api", { liveness })], {
      dial: () => Promise.reject(unreachable),
    });
    await rig.state("api", "running");
    for (let count = 0; count < 3; count += 1) await rig.timers.pass(10_000);
    await rig.timers.slept(10_000);
    expect(rig.states).toEqual({ api: "running" });
  });

  it("begins an init container again before a service that a person restarts", async () => {
    await using rig = await MirrorRig.start([
      mirrored("api", waitsFor("api-init", "completed")),
      mirrored("api-init", { role: "init", partOf: "api", restart: "on-failure" }),
    ]);
    await rig.state("api-init", "running");
    rig.engine.end(owner, "api-init", { exitCode: 0 });
    await rig.state("api", "running");
    // An end of its own is no new pod: production starts the container alone again.
    rig.engine.end(owner, "api", { exitCode: 1 });
    await rig.timers.pass(1000);
    await rig.until("api", (row) => row.state === "running" && row.restarts === 1);
    expect(rig.states["api-init"]).toBe("completed");

    rig.mirrors.restart(rig.row, "api");
    await rig.state("api-init", "running");
    expect((await rig.state("api", "waiting")).reason).toMatch(/waits for api-init/);
    rig.engine.end(owner, "api-init", { exitCode: 0 });
    const up = await rig.until("api", (row) => row.state === "running" && row.restarts === 2);
    expect(up.reason).toBe("It was asked to start again.");
  });

  it("fills in values, and says before the start which are missing or made", async () => {
    await using rig = await MirrorRig.start(
      [
        mirrored("api", {
          composedEnv: {
            URL: [{ text: "postgres://api:" }, { secret: "db", key: "password" }, { text: "@db" }],
            TOKEN: [{ variable: "API_TOKEN" }],
          },
          files: [
            {
              path: "/etc/api.conf",
              mode: null,
              content: { kind: "text", parts: [{ secret: "db", key: "password" }] },
            },
          ],
        }),
      ],
      { variables: {} },
    );
    await rig.state("api", "running");
    const { members } = await rig.engine.observe(owner);
    expect(members[0]?.runs.env).toMatchObject({ URL: "postgres://api:made-db-password@db" });
    expect(members[0]?.runs.env).not.toHaveProperty("TOKEN");
    expect(rig.engine.filesOf(owner, "api")).toMatchObject([{ path: "/etc/api.conf" }]);
    expect(rig.events[0]).toMatchObject({ level: "warning", code: "variables-missing" });
    expect(rig.events[0]?.message).toContain("ask for API_TOKEN");
  });
});
