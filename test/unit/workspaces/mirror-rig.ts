import type { Socket } from "node:net";
import { posix } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import type {
  ServiceRow,
  ServiceStatus,
  ServiceStore,
} from "../../../server/db/workspace-services.ts";
import type { NewEvent, WorkspaceRow } from "../../../server/db/workspaces.ts";
import { FakeEngine } from "../../../server/engine/fake/index.ts";
import type { FakeEngineOptions } from "../../../server/engine/fake/world.ts";
import type { WorkspacePlan } from "../../../server/protocol/plan.ts";
import {
  unsaidMirror,
  type MirroredService,
  type PlannedService,
  type Probe,
} from "../../../server/protocol/service.ts";
import type { WatchedFolder } from "../../../server/protocol/control.ts";
import type { ExecStream } from "../../../server/terminals/exec-stream.ts";
import { createLog } from "../../../server/util/log.ts";
import { Mirrors } from "../../../server/workspaces/mirror/mirrors.ts";
import { ManualTimers } from "../../helpers/manual-timers.ts";
import { facts, planOf, service } from "../../helpers/plans.ts";

export const owner = { kind: "workspace", id: "w1" } as const;

/** A service of production that asks for nothing but what is given. */
export function mirrored(
  name: string,
  mirror: Partial<MirroredService> = {},
  change: Partial<PlannedService> = {},
): PlannedService {
  return service(name, {
    image: `shop/${name}:1`,
    dedicatedPod: true,
    ...change,
    mirror: { ...unsaidMirror, restart: "always", ...mirror },
  });
}

export const waitsFor = (
  name: string,
  condition: "started" | "healthy" | "completed",
): Partial<MirroredService> => ({ dependsOn: [{ service: name, condition, required: true }] });

export const execProbe = (change: Partial<Probe> = {}): Probe => ({
  check: { kind: "exec", command: ["check"] },
  initialDelayS: 0,
  periodS: 10,
  timeoutS: 1,
  failures: 3,
  successes: 1,
  ...change,
});

/** The states of services as they would be in the database. */
class MemoryStore implements Pick<ServiceStore, "list" | "write" | "clear"> {
  readonly rows = new Map<string, ServiceRow>();
  writes = 0;
  onWrite: (() => void) | null = null;

  async list(...ids: readonly string[]): Promise<ServiceRow[]> {
    return [...this.rows.values()].filter(({ workspaceId }) => ids.includes(workspaceId));
  }

  async write(workspaceId: string, services: readonly ServiceStatus[]): Promise<void> {
    this.writes += 1;
    for (const one of services) this.rows.set(one.service, { workspaceId, ...one });
    this.onWrite?.();
  }

  async clear(): Promise<void> {
    this.rows.clear();
    this.onWrite?.();
  }
}

export interface RigOptions extends Omit<FakeEngineOptions, "images"> {
  readonly missingImages?: readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
  readonly builds?: WorkspacePlan["builds"];
  readonly dial?: (at: { host: string; port: number }) => Promise<Socket>;
  /** Files of the workspace, by their absolute path; a test changes them. */
  readonly sources?: Record<string, string>;
}

/** What `tar -c -C FOLDER -- PATHS` prints in the workspace. */
function tarOf(sources: Readonly<Record<string, string>>, argv: readonly string[]): ExecStream {
  const folder = argv[argv.indexOf("-C") + 1] ?? "";
  const out = pack();
  for (const path of argv.slice(argv.indexOf("--") + 1)) {
    const text = sources[posix.join(folder, path)];
    if (text !== undefined) out.entry({ name: path, mode: 0o644, mtime: new Date(1000) }, text);
  }
  out.finalize();
  const exit = { code: 0, signal: null, error: null };
  const collect = async () => ({
    exit,
    stdout: await buffer(Readable.from(out)),
    stderr: Buffer.alloc(0),
  });
  const stream = { collect, hangup: () => undefined, [Symbol.dispose]: () => undefined };
  return stream as unknown as ExecStream;
}

/** Production's services around a dev service, on an engine in memory, with a clock of the test's own. */
export class MirrorRig implements AsyncDisposable {
  readonly engine: FakeEngine;
  readonly timers = new ManualTimers();
  readonly store = new MemoryStore();
  readonly events: NewEvent[] = [];
  readonly dialled: string[] = [];
  /** How many services the engine had been asked to start, whenever all were said to be started. */
  readonly started: number[] = [];
  onStarted: (() => void) | null = null;
  watched: readonly WatchedFolder[] = [];
  onWatch: (() => void) | null = null;
  readonly row: WorkspaceRow;
  mirrors: Mirrors;
  readonly #options: RigOptions;
  readonly #watching = new AbortController();

  private constructor(services: readonly PlannedService[], options: RigOptions) {
    const { missingImages = [], builds } = options;
    const all = ["oneloop/workspace:latest", ...services.map(({ image }) => image)];
    const there = all.filter((image) => !missingImages.includes(image));
    this.engine = new FakeEngine({
      ...options,
      images: Object.fromEntries(there.map((image) => [image, facts])),
    });
    this.#options = options;
    const plan = planOf([service("dev"), ...services]);
    const checkout = { url: "u", ref: null, commit: "c".repeat(40), path: "/workspace/app" };
    this.row = {
      id: owner.id,
      name: "app",
      plan: { ...plan, checkout, ...(builds === undefined ? {} : { builds }) },
      state: "running",
      checkedOut: true,
    } as WorkspaceRow;
    this.mirrors = this.#make();
  }

  static async start(
    services: readonly PlannedService[],
    options: RigOptions = {},
  ): Promise<MirrorRig> {
    const rig = await MirrorRig.starting(services, options);
    rig.mirrors.running(rig.row);
    return rig;
  }

  /** Its network is there, and nobody has said that it runs. */
  static async starting(
    services: readonly PlannedService[],
    options: RigOptions = {},
  ): Promise<MirrorRig> {
    const rig = new MirrorRig(services, options);
    const step = { signal: AbortSignal.timeout(10_000) };
    const spec = { owner, name: "app", plan: rig.row.plan };
    await rig.engine.ensureSandbox(spec, step);
    void rig.#watch();
    return rig;
  }

  /** As after a kill of the control plane: nothing of what was in its memory is left. */
  async restart(): Promise<void> {
    await this.mirrors[Symbol.asyncDispose]();
    this.mirrors = this.#make();
    this.mirrors.running(this.row);
  }

  /** Waits until a service's written state is as wanted; gives it. */
  async until(name: string, wanted: (row: ServiceRow) => boolean): Promise<ServiceRow> {
    for (;;) {
      const row = this.store.rows.get(name);
      if (row !== undefined && wanted(row)) return row;
      await new Promise<void>((resolve) => {
        this.store.onWrite = () => resolve();
      });
    }
  }

  state(name: string, state: ServiceRow["state"]): Promise<ServiceRow> {
    return this.until(name, (row) => row.state === state);
  }

  /** Waits until it was said so many times that all that can start now is started. */
  async untilStarted(times: number): Promise<void> {
    while (this.started.length < times) {
      await new Promise<void>((resolve) => {
        this.onStarted = () => resolve();
      });
    }
  }

  /** What the services are, by name. */
  get states(): Record<string, string> {
    return Object.fromEntries([...this.store.rows].map(([name, { state }]) => [name, state]));
  }

  async running(): Promise<string[]> {
    const { members } = await this.engine.observe(owner);
    return members.filter(({ state }) => state === "running").map(({ service: name }) => name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watching.abort();
    await this.mirrors[Symbol.asyncDispose]();
  }

  async #watch(): Promise<void> {
    for await (const { service: name } of this.engine.watch(this.#watching.signal)) {
      if (name !== null) this.mirrors.changed(owner.id, name);
    }
  }

  #make(): Mirrors {
    const { variables = {}, dial, sources = {} } = this.#options;
    return new Mirrors({
      engine: this.engine,
      store: { addEvent: async (_id, event) => void this.events.push(event) },
      services: this.store as unknown as ServiceStore,
      supervisors: {
        dial: (_target, at) => {
          const { host, port } = at as { host: string; port: number };
          this.dialled.push(`${host}:${port}`);
          return dial === undefined ? Promise.reject(new Error("nobody")) : dial({ host, port });
        },
        exec: async (_target, { argv }) => tarOf(sources, argv ?? []),
      },
      onStarted: () => {
        this.started.push(this.engine.calls.filter((call) => call === "ensureService").length);
        this.onStarted?.();
      },
      watch: (_owner, folders) => {
        this.watched = folders;
        this.onWatch?.();
      },
      archive: async () => Readable.from([]),
      values: async () => ({ variables, made: (secret, key) => `made-${secret}-${key}` }),
      timers: this.timers,
      log: createLog({ level: "silent" }),
    });
  }
}
