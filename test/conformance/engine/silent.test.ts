import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../../server/engine/engine.ts";
import type { Job } from "../../../server/engine/jobs.ts";
import type { Owner, WorkspaceSpec } from "../../../server/engine/steps.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { planOf, service } from "../../helpers/plans.ts";
import { startSilentEngine, type SilentEngine } from "../../helpers/silent-engine.ts";
import {
  startTestEngine,
  step,
  workspaceOwner,
  type TestEngine,
} from "../../helpers/test-engine.ts";

/** Long enough for what the real engine is asked here, and short to wait for. */
const patience = { readMs: 3000, changeMs: 3000, filesMs: 3000 };
/** One call, or two after each other, and what a busy machine adds. */
const answeredMs = 10_000;

const socketPath = (process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock").slice(7);
const sentence = "The Docker engine is there but does not answer.";

describe("an engine that accepts and never answers", () => {
  const lifetime = new Lifetime();
  const owner = workspaceOwner();
  let way: SilentEngine;
  let test: TestEngine;
  let spec: WorkspaceSpec;

  beforeAll(async () => {
    way = lifetime.own(await startSilentEngine(socketPath));
    test = lifetime.own(await startTestEngine({ dockerHost: way.url, patience }));
    const plan = planOf([service("dev", { image: test.images.workspace })]);
    spec = { owner, name: "silent", plan };
    await test.engine.ensureImage(test.images.workspace, step());
    await test.engine.ensureStorage(spec, step());
    await test.engine.ensureSandbox(spec, step());
    way.silence();
  });
  afterAll(async () => {
    way.restart();
    await lifetime[Symbol.asyncDispose]();
  });

  const job: Job = {
    owner,
    name: "probe",
    image: "helper",
    command: ["true"],
    mounts: [],
    timeoutMs: 60_000,
  };
  const setup = { publicKey: "key", env: {} };
  const calls: Record<string, (engine: Engine, owner: Owner) => Promise<unknown>> = {
    ensureImage: (engine) => engine.ensureImage(test.images.helper, step()),
    ensureStorage: (engine) => engine.ensureStorage(spec, step()),
    ensureSandbox: (engine) => engine.ensureSandbox(spec, step()),
    prepareSandboxes: (engine) =>
      engine.prepareSandboxes(workspaceOwner(), {
        ...step(),
        preparation: { like: null, spares: 0 },
      }),
    ensureMembers: (engine) => engine.ensureMembers(spec, setup, step()),
    supervisorAddress: (engine) => engine.supervisorAddress(owner),
    stop: (engine) => engine.stop(owner, { ...step(), graceMs: 0 }),
    remove: (engine) => engine.remove(owner, { ...step(), storage: false }),
    observe: (engine) => engine.observe(owner),
    observeService: (engine) => engine.observeService({ owner, service: "dev" }),
    owners: (engine) => engine.owners(),
    runJob: (engine) => engine.runJob(job, step()),
    prepareJob: (engine) => engine.prepareJob(job, step()),
  };

  it.concurrent.each(Object.keys(calls))(
    "%s gives up in time, and says so",
    { timeout: answeredMs },
    async (name) => {
      const called = calls[name]?.(test.engine, owner);
      await expect(called).rejects.toMatchObject({
        code: "engine-unreachable",
        message: expect.stringContaining(sentence),
      });
    },
  );

  it("a control plane does not start with it", { timeout: answeredMs }, async () => {
    await expect(test.another()).rejects.toMatchObject({ code: "engine-unreachable" });
  });

  it("is watched again when it is back, and the gap is told", async () => {
    way.restart();
    const watching = new AbortController();
    const gap = new Promise<void>((resolve) => {
      const events = test.engine.watch(watching.signal, resolve)[Symbol.asyncIterator]();
      void events.next();
    });
    // The request of the first `next()` is on its way; a connection that is cut now is the gap.
    await test.engine.owners();
    way.restart();
    await gap;
    watching.abort();
    expect((await test.engine.observe(owner)).sandbox).toBe("running");
  });
});
