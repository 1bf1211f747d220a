import { describe, expect, it } from "vitest";
import type { Engine, EngineEvent } from "../../../server/engine/engine.ts";
import type { Observed } from "../../../server/engine/observed.ts";
import type { ChangedFile, LogEntry } from "../../../server/engine/services.ts";
import type { Owner } from "../../../server/engine/steps.ts";
import { memberSpecs } from "../../../server/engine/member-spec.ts";
import { OneloopError } from "../../../server/protocol/errors.ts";
import { planOf, service } from "../../helpers/plans.ts";
import { step, workspaceOwner } from "../../helpers/test-engine.ts";
import { mirrored, noFiles, textFile } from "./mirrored.ts";

/** One implementation under test. */
export interface Subject {
  readonly engine: Engine;
  /** An image that is there, with a shell. */
  readonly image: string;
  /** Ends the program of a service, as if by itself, with status 7. */
  readonly end: (owner: Owner, service: string) => Promise<void>;
  /** Lets the program of a service print a text. */
  readonly print: (owner: Owner, service: string, text: string) => Promise<void>;
}

/** Ends at TERM with 0, and at USR1 with 7; a shell that is PID 1 gets no signal without a trap. */
export const waiting = [
  "sh",
  "-c",
  "trap 'exit 0' TERM; trap 'exit 7' USR1; while :; do sleep 1000 & wait $!; done",
];

/** A file as somebody saved it. */
const saved: ChangedFile = {
  ...{ path: "/saved/x", root: "/saved", mode: 0o644, uid: 0, gid: 0, modifiedMs: 0 },
  content: { kind: "bytes", bytes: Buffer.from("x") },
};

const setup = { publicKey: "MCowBQYDK2VwAyEA", env: { ONELOOP_TEST: "setup" } };
const entering = { publicKey: setup.publicKey, idleMs: 60_000 };

/** What every engine must do, whatever it is made of. */
export function describeEngine(name: string, subject: () => Subject): void {
  describe(`${name} engine`, () => {
    const plan = (): ReturnType<typeof planOf> => {
      const { image } = subject();
      return planOf(
        [
          service("dev", { image, env: { ROLE: "dev" } }),
          service("db", {
            image,
            command: waiting,
            env: { ROLE: "db", PATH: "/usr/bin:/bin" },
            memoryLimitBytes: 64 * 1024 * 1024,
            cpuLimitCores: 0.5,
            mounts: [{ volume: "data", path: "/data" }],
          }),
          service("mail", {
            image,
            command: waiting.slice(0, 2),
            args: waiting.slice(2),
            dedicatedPod: true,
            readOnlyRoot: true,
          }),
        ],
        [{ name: "data", sizeBytes: null, ephemeral: false }],
      );
    };

    const open = async (spec: {
      owner: Owner;
      plan: ReturnType<typeof planOf>;
    }): Promise<{ boot: string }> => {
      const { engine } = subject();
      const workspace = { ...spec, name: "govapp-main-xyz" };
      await Promise.all([
        engine.ensureStorage(workspace, step()),
        engine.ensureSandbox(workspace, step()),
      ]);
      return engine.ensureMembers(workspace, setup, step());
    };

    const withWorkspace = async (
      use: (spec: { owner: Owner; plan: ReturnType<typeof planOf> }) => Promise<void>,
    ): Promise<void> => {
      const spec = { owner: workspaceOwner(), plan: plan() };
      try {
        await use(spec);
      } finally {
        await subject().engine.remove(spec.owner, { ...step(), storage: true });
      }
    };

    it("runs what the plan says, read back from the engine", () =>
      withWorkspace(async (spec) => {
        const { engine } = subject();
        const images = new Map(
          await Promise.all(
            spec.plan.services.map(
              async (each) => [each.name, await engine.ensureImage(each.image, step())] as const,
            ),
          ),
        );
        await open(spec);
        const observed = await engine.observe(spec.owner);
        expect(runsOf(observed)).toEqual(memberSpecs(spec.plan, images, setup));
        expect(observed.members.map(({ state }) => state)).toEqual([
          "running",
          "running",
          "running",
        ]);
        expect(observed).toMatchObject({
          sandbox: "running",
          volumes: ["data", "home", "source"],
          leftovers: [],
        });
      }));

    it("changes nothing the second time", () =>
      withWorkspace(async (spec) => {
        const first = await open(spec);
        const before = await subject().engine.observe(spec.owner);
        const second = await open(spec);
        expect(second).toEqual(first);
        expect(await subject().engine.observe(spec.owner)).toEqual(before);
      }));

    it("replaces a member whose plan has changed, and keeps the others and all volumes", () =>
      withWorkspace(async (spec) => {
        const { boot } = await open(spec);
        const [dev, db, ...rest] = spec.plan.services;
        if (dev === undefined || db === undefined) throw new Error("the plan has two services");
        const changed = { ...db, env: { ...db.env, ROLE: "changed" } };
        const again = await open({
          ...spec,
          plan: { ...spec.plan, services: [dev, changed, ...rest] },
        });
        expect(again.boot).toBe(boot);
        const observed = await subject().engine.observe(spec.owner);
        expect(runsOf(observed).get("db")?.env["ROLE"]).toBe("changed");
        expect(observed.volumes).toEqual(["data", "home", "source"]);
      }));

    it("says where the supervisor is only while it runs", () =>
      withWorkspace(async (spec) => {
        const { engine } = subject();
        expect(await engine.supervisorAddress(spec.owner)).toBeNull();
        await open(spec);
        expect(await engine.supervisorAddress(spec.owner)).not.toBeNull();
        await engine.stop(spec.owner, { ...step(), graceMs: 1000 });
        expect(await engine.supervisorAddress(spec.owner)).toBeNull();
      }));

    it("stops without losing anything, and starts again with another boot", () =>
      withWorkspace(async (spec) => {
        const { engine } = subject();
        const { boot } = await open(spec);
        await engine.stop(spec.owner, { ...step(), graceMs: 1000 });
        const stopped = await engine.observe(spec.owner);
        expect(stopped.sandbox).toBe("exited");
        expect(stopped.members.map(({ state }) => state)).toEqual(["exited", "exited", "exited"]);
        expect(stopped.volumes).toEqual(["data", "home", "source"]);
        expect((await open(spec)).boot).not.toBe(boot);
        expect((await engine.observe(spec.owner)).sandbox).toBe("running");
      }));

    it("keeps the volumes of a workspace that is removed without them", () =>
      withWorkspace(async (spec) => {
        const { engine } = subject();
        await open(spec);
        await engine.remove(spec.owner, { ...step(), storage: false });
        expect(await engine.observe(spec.owner)).toEqual({
          sandbox: "missing",
          members: [],
          volumes: ["data", "home", "source"],
          leftovers: [],
        });
        expect(await engine.owners()).toContainEqual(spec.owner);
      }));

    it("knows an owner from its first object to its last", () =>
      withWorkspace(async (spec) => {
        const { engine } = subject();
        expect(await engine.owners()).not.toContainEqual(spec.owner);
        await engine.ensureStorage({ ...spec, name: "n" }, step());
        expect(await engine.owners()).toContainEqual(spec.owner);
        await engine.remove(spec.owner, { ...step(), storage: true });
        expect(await engine.owners()).not.toContainEqual(spec.owner);
      }));

    it("starts no member without a sandbox", () =>
      withWorkspace(async (spec) => {
        const { engine } = subject();
        await engine.ensureStorage({ ...spec, name: "n" }, step());
        const members = engine.ensureMembers({ ...spec, name: "n" }, setup, step());
        await expect(members).rejects.toBeInstanceOf(OneloopError);
        expect((await engine.observe(spec.owner)).members).toEqual([]);
      }));

    it("tells of a service that ended, and starts it again", () =>
      withWorkspace(async (spec) => {
        const { engine, end } = subject();
        await open(spec);
        const watching = new AbortController();
        const event = firstEvent(engine.watch(watching.signal), spec.owner);
        await end(spec.owner, "db");
        expect(await event).toEqual({
          owner: spec.owner,
          service: "db",
          kind: "died",
          exitCode: 7,
        });
        watching.abort();
        const ended = await engine.observe(spec.owner);
        const db = ended.members.find((member) => member.service === "db");
        expect(db).toMatchObject({ state: "exited", exitCode: 7 });
        await open(spec);
        const states = (await engine.observe(spec.owner)).members.map(({ state }) => state);
        expect(states).toEqual(["running", "running", "running"]);
      }));

    it("enters a service that runs, once, and each with a supervisor of its own", () =>
      withWorkspace(async (spec) => {
        const { engine } = subject();
        const { boot } = await open(spec);
        const enter = (service: string): ReturnType<Engine["enterService"]> =>
          engine.enterService({ owner: spec.owner, service }, entering, step());
        const [db, again, mail] = await Promise.all([enter("db"), enter("db"), enter("mail")]);
        expect(again).toEqual(db);
        expect(await enter("db")).toEqual(db);
        expect(new Set([boot, db.boot, mail.boot]).size).toBe(3);
        expect(await engine.supervisorAddress(spec.owner)).not.toEqual(db.address);
        expect(mail.address).not.toEqual(db.address);
        const { members } = await engine.observe(spec.owner);
        expect(members.filter(({ entered }) => entered).map(({ service }) => service)).toEqual(
          expect.arrayContaining(["db", "mail"]),
        );
        expect(members.find(({ service }) => service === "dev")?.entered).toBe(false);
      }));

    it("enters nothing that does not run, and a service that runs again anew", () =>
      withWorkspace(async (spec) => {
        const { engine, end } = subject();
        const db = { owner: spec.owner, service: "db" };
        const notRunning = { code: "workspace-not-running" };
        await expect(engine.enterService(db, entering, step())).rejects.toMatchObject(notRunning);
        await open(spec);
        const nobody = { ...db, service: "nobody" };
        await expect(engine.enterService(nobody, entering, step())).rejects.toMatchObject(
          notRunning,
        );
        const { boot } = await engine.enterService(db, entering, step());
        const watching = new AbortController();
        const event = firstEvent(engine.watch(watching.signal), spec.owner);
        await end(spec.owner, "db");
        await event;
        watching.abort();
        await expect(engine.enterService(db, entering, step())).rejects.toMatchObject(notRunning);
        const ended = (await engine.observe(spec.owner)).members;
        expect(ended.map(({ entered }) => entered)).toEqual([false, false, false]);
        await open(spec);
        expect((await engine.enterService(db, entering, step())).boot).not.toBe(boot);
      }));

    it("gives what a service printed, from any place on, and what it prints until it ends", () =>
      withWorkspace(async (spec) => {
        const { engine, print, end } = subject();
        await open(spec);
        const db = { owner: spec.owner, service: "db" };
        const options = { ...step(), follow: false, tail: null, after: null };
        for (const line of ["one\n", "two\n", "three\n"]) await print(spec.owner, "db", line);
        const all = await collect(engine.logs(db, options));
        expect(all.map(({ stream, data }) => [stream, data.toString()])).toEqual([
          ["stdout", "one\n"],
          ["stdout", "two\n"],
          ["stdout", "three\n"],
        ]);
        const after = all[0]?.at ?? "";
        expect(textOf(await collect(engine.logs(db, { ...options, after })))).toBe("two\nthree\n");
        expect(textOf(await collect(engine.logs(db, { ...options, tail: 1 })))).toBe("three\n");

        const following = engine.logs(db, { ...options, follow: true, tail: 1 });
        const seen: LogEntry[] = [];
        for await (const entries of following) {
          seen.push(...entries);
          if (textOf(seen) === "three\n") await print(spec.owner, "db", "four\n");
          if (textOf(seen).endsWith("four\n")) await end(spec.owner, "db");
        }
        expect(textOf(seen)).toBe("three\nfour\n");
      }));

    it("has no log of a service that never started, and gives up a log whose reader is gone", () =>
      withWorkspace(async (spec) => {
        const { engine } = subject();
        const db = { owner: spec.owner, service: "db" };
        const options = { ...step(), follow: false, tail: null, after: null };
        await expect(collect(engine.logs(db, options))).rejects.toMatchObject({
          code: "workspace-not-running",
        });
        await open(spec);
        const reader = new AbortController();
        const following = engine.logs(db, { ...options, follow: true, signal: reader.signal });
        const read = collect(following);
        reader.abort();
        expect(await read).toEqual([]);
      }));

    describe("with production's services", () => {
      const file = textFile("/etc/app.conf", "conf\n");
      const withApi = (): ReturnType<typeof planOf> => {
        const { image } = subject();
        const api = mirrored("api", {
          image,
          command: waiting,
          env: { ROLE: "api" },
          mounts: [{ volume: "data", path: "/data" }],
          mirror: { files: [file.planned] },
        });
        const [dev, ...rest] = plan().services;
        if (dev === undefined) throw new Error("the plan has a dev service");
        return { ...plan(), services: [dev, api, ...rest] };
      };
      const api = { service: "api", filesKey: "a", readFiles: () => Promise.resolve([file.put]) };
      const stateOf = async (owner: Owner) =>
        (await subject().engine.observe(owner)).members.find(({ service }) => service === "api")
          ?.state ?? null;

      it("starts each by itself, once, and again where it is asked to", () =>
        withWorkspace(async ({ owner }) => {
          const { engine } = subject();
          const spec = { owner, name: "n", plan: withApi() };
          const { boot } = await open(spec);
          expect(await stateOf(owner)).toBeNull();
          expect(await engine.ensureService(spec, api, step())).toEqual({ started: true });
          const { image } = subject();
          const facts = await engine.ensureImage(image, step());
          const images = new Map(spec.plan.services.map(({ name }) => [name, facts]));
          const before = await engine.observe(owner);
          expect(runsOf(before)).toEqual(memberSpecs(spec.plan, images, setup));
          expect(before.volumes).toEqual(["data", "home", "source"]);

          expect(await engine.ensureService(spec, api, step())).toEqual({ started: false });
          expect((await open(spec)).boot).toBe(boot);
          expect(await engine.observe(owner)).toEqual(before);

          const watching = new AbortController();
          const event = firstEvent(engine.watch(watching.signal), owner);
          const again = { ...api, again: true };
          expect(await engine.ensureService(spec, again, step())).toEqual({ started: true });
          expect(await event).toMatchObject({ service: "api", kind: "died" });
          watching.abort();
          expect(await stateOf(owner)).toBe("running");
        }));

      it("makes one again from other settings or other files only, and reads those only then", () =>
        withWorkspace(async ({ owner }) => {
          const { engine } = subject();
          const spec = { owner, name: "n", plan: withApi() };
          await open(spec);
          const reads: string[] = [];
          const start = async (filesKey: string, from = spec): Promise<boolean> => {
            const readFiles = (): Promise<(typeof file.put)[]> => {
              reads.push(filesKey);
              return Promise.resolve([file.put]);
            };
            return (await engine.ensureService(from, { ...api, filesKey, readFiles }, step()))
              .started;
          };
          expect([await start("a"), await start("a"), await start("b")]).toEqual([
            true,
            false,
            true,
          ]);
          expect(reads).toEqual(["a", "b"]);
          const services = spec.plan.services.map((one) =>
            one.name === "api" ? { ...one, env: { ROLE: "changed" } } : one,
          );
          expect(await start("b", { ...spec, plan: { ...spec.plan, services } })).toBe(true);
          expect(runsOf(await engine.observe(owner)).get("api")?.env["ROLE"]).toBe("changed");
        }));

      it("stops one, which the start of the workspace's own members leaves as it is", () =>
        withWorkspace(async ({ owner }) => {
          const { engine } = subject();
          const spec = { owner, name: "n", plan: withApi() };
          await open(spec);
          await engine.ensureService(spec, api, step());
          const which = { owner, service: "api" };
          const watching = new AbortController();
          const event = firstEvent(engine.watch(watching.signal), owner);
          await engine.stopService(which, { ...step(), graceMs: 1000 });
          expect(await event).toMatchObject({ service: "api", kind: "died" });
          watching.abort();
          await engine.stopService(which, { ...step(), graceMs: 1000 });
          await open(spec);
          expect(await stateOf(owner)).toBe("exited");
          const { members } = await engine.observe(owner);
          for (const name of ["dev", "api", "nobody"]) {
            const observed = members.find(({ service }) => service === name) ?? null;
            expect(await engine.observeService({ owner, service: name })).toEqual(observed);
          }
          expect(await engine.ensureService(spec, api, step())).toEqual({ started: true });
          await engine.stop(owner, { ...step(), graceMs: 1000 });
          expect(await stateOf(owner)).toBe("exited");
        }));

      it("starts one again in the container that it has, with files of now, also after its end", () =>
        withWorkspace(async ({ owner }) => {
          const { engine } = subject();
          const spec = { owner, name: "n", plan: withApi() };
          const which = { owner, service: "api" };
          const renew = (): Promise<unknown> =>
            engine.renewService(which, [saved], { ...step(), graceMs: 1000 });
          await open(spec);
          await expect(renew()).rejects.toMatchObject({ code: "workspace-not-running" });
          await engine.ensureService(spec, api, step());
          const watching = new AbortController();
          const event = firstEvent(engine.watch(watching.signal), owner);
          expect(await renew()).toEqual({ started: true, killed: false });
          expect(await event).toMatchObject({ service: "api", kind: "died" });
          watching.abort();
          expect(await stateOf(owner)).toBe("running");
          await engine.stopService(which, { ...step(), graceMs: 1000 });
          expect(await renew()).toEqual({ started: true, killed: false });
          expect(await stateOf(owner)).toBe("running");
        }));

      it("runs a command in one that runs, and in no other", () =>
        withWorkspace(async ({ owner }) => {
          const { engine } = subject();
          const spec = { owner, name: "n", plan: withApi() };
          await open(spec);
          const check = (): Promise<number> =>
            engine.execInService({ owner, service: "api", command: ["true"] }, step());
          const notRunning = { code: "workspace-not-running" };
          await expect(check()).rejects.toMatchObject(notRunning);
          await engine.ensureService(spec, api, step());
          expect(await check()).toBe(0);
          await engine.stopService({ owner, service: "api" }, { ...step(), graceMs: 1000 });
          await expect(check()).rejects.toMatchObject(notRunning);
        }));

      it("starts one with a sandbox of its own, and none that is not production's", () =>
        withWorkspace(async ({ owner }) => {
          const { engine } = subject();
          const spec = { owner, name: "n", plan: withApi() };
          await engine.ensureStorage(spec, step());
          expect(await engine.ensureService(spec, api, step())).toEqual({ started: true });
          await open(spec);
          for (const name of ["dev", "db", "nobody"]) {
            const other = engine.ensureService(spec, { ...noFiles, service: name }, step());
            await expect(other, name).rejects.toMatchObject({ code: "plan-impossible" });
          }
        }));
    });

    it("names an image that is not there and cannot be had", async () => {
      const image = subject().engine.ensureImage("oneloop/never-built:1", step());
      await expect(image).rejects.toMatchObject({ code: "image-unavailable" });
    });

    it("refuses a step that is cancelled already", () =>
      withWorkspace(async (spec) => {
        const cancelled = { signal: AbortSignal.abort() };
        const sandbox = subject().engine.ensureSandbox({ ...spec, name: "n" }, cancelled);
        await expect(sandbox).rejects.toMatchObject({ code: "cancelled" });
        expect((await subject().engine.observe(spec.owner)).sandbox).toBe("missing");
      }));
  });
}

async function collect(batches: AsyncIterable<readonly LogEntry[]>): Promise<LogEntry[]> {
  const collected: LogEntry[] = [];
  for await (const entries of batches) collected.push(...entries);
  return collected;
}

function textOf(entries: readonly LogEntry[]): string {
  return entries.map(({ data }) => data.toString()).join("");
}

function runsOf(observed: Observed): Map<string, Observed["members"][number]["runs"]> {
  return new Map(observed.members.map((member) => [member.service, member.runs]));
}

async function firstEvent(
  events: AsyncIterable<EngineEvent>,
  owner: Owner,
): Promise<EngineEvent | null> {
  for await (const event of events) {
    if (event.owner.id === owner.id) return event;
  }
  return null;
}
