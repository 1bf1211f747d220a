import { OneloopError } from "../../protocol/errors.ts";
import type { PlannedService } from "../../protocol/service.ts";
import { supervisorPort } from "../../protocol/supervisor.ts";
import type { Engine, EngineEvent } from "../engine.ts";
import type { ImageFacts } from "../images.ts";
import type { Job, JobResult } from "../jobs.ts";
import type { FileChanges } from "../services.ts";
import type { Owner, ServiceOf, StepOptions, SupervisorAddress } from "../steps.ts";
import type { FakeFile } from "./files.ts";
import { endAll, leave, type Held, type Member } from "./held.ts";

export interface FakeEngineOptions {
  /** Images that are there, by reference; others are `image-unavailable`. */
  readonly images: Readonly<Record<string, ImageFacts>>;
  /** What a job prints and how it ends; by default nothing and 0. */
  readonly runJob?: (job: Job, options: StepOptions) => JobResult | Promise<JobResult>;
  /** How a container that runs to its end does so; by default without a word, with 0. */
  readonly runToEnd?: (
    which: { readonly name: string; readonly service: PlannedService },
    options: StepOptions,
  ) => Promise<{ readonly exitCode: number; readonly output: string }>;
  /** Where every supervisor listens; a test that needs one starts it there. */
  readonly address?: SupervisorAddress;
  /** The exit status of a command in a service; by default 0. */
  readonly exec?: (
    which: ServiceOf & { readonly command: readonly string[] },
    options: StepOptions,
  ) => number | Promise<number>;
}

/**
 * What the fake engine holds, which of its calls fail and hang, and what happens to it from outside,
 * as a test says. The steps on it are FakeEngine's.
 */
export class FakeWorld {
  /** The names of the calls, in order. */
  readonly calls: string[] = [];
  protected readonly options: FakeEngineOptions;
  protected readonly held = new Map<string, Held>();
  protected readonly built = new Set<string>();
  readonly #failures = new Map<string, OneloopError>();
  readonly #hangs = new Set<string>();
  readonly #watchers = new Set<(event: EngineEvent) => void>();
  readonly #gapListeners = new Set<() => void>();
  protected boots = 0;

  constructor(options: FakeEngineOptions) {
    this.options = options;
  }

  /** The next call of this name rejects. */
  failNext(call: keyof Engine & string, error: OneloopError): void {
    this.#failures.set(call, error);
  }

  /** The next call of this name does nothing until its signal ends it; without one, for ever. */
  hangNext(call: keyof Engine & string): void {
    this.#hangs.add(call);
  }

  /** A member's own command prints something. */
  print(owner: Owner, service: string, text: string): void {
    const member = this.held.get(key(owner))?.members.get(service);
    if (member === undefined) throw new Error(`the fake engine runs no ${service}`);
    member.log.print(text);
  }

  /** What was put into a service's container, in order. */
  filesOf(owner: Owner, service: string): readonly FakeFile[] {
    return this.held.get(key(owner))?.members.get(service)?.files ?? [];
  }

  /** What was changed in a service's container while it was there, in order. */
  changesOf(owner: Owner, service: string): readonly FileChanges[] {
    return this.held.get(key(owner))?.members.get(service)?.changes ?? [];
  }

  /** A program of a member is ended for memory, and the member lives on. */
  endProgram(owner: Owner, service: string): void {
    this.#emit({ owner, service, kind: "out-of-memory", exitCode: null });
  }

  /** Somebody takes the network of an owner away. */
  cutOff(owner: Owner): void {
    const held = this.held.get(key(owner));
    if (held !== undefined) held.sandbox = "cut-off";
    this.#emit({ owner, service: null, kind: "cut-off", exitCode: null });
  }

  /** The network of an owner is no more what it was; nobody says so. */
  loseSandbox(owner: Owner): void {
    const held = this.held.get(key(owner));
    if (held !== undefined) held.sandbox = "missing";
  }

  /** The engine was away, and ended everything of an owner without a word. */
  goAway(owner: Owner): void {
    const held = this.held.get(key(owner));
    if (held !== undefined) endAll(held);
    for (const listener of this.#gapListeners) listener();
  }

  /** A member's program ends, as if by itself. */
  end(owner: Owner, service: string, how: { exitCode: number; outOfMemory?: boolean }): void {
    const member = this.held.get(key(owner))?.members.get(service);
    if (member === undefined) throw new Error(`the fake engine runs no ${service}`);
    this.finish(owner, service, { member, ...how });
  }

  /** Everything of an owner stops at once, as after a crash of the engine. */
  crash(owner: Owner): void {
    const held = this.held.get(key(owner));
    if (held === undefined) return;
    endAll(held);
    this.#emit({ owner, service: null, kind: "died", exitCode: 255 });
  }

  async *watch(signal: AbortSignal, onGap?: () => void): AsyncGenerator<EngineEvent> {
    const queue: EngineEvent[] = [];
    let wake = (): void => undefined;
    const push = (event: EngineEvent): void => {
      queue.push(event);
      wake();
    };
    const onAbort = (): void => wake();
    this.#watchers.add(push);
    if (onGap !== undefined) this.#gapListeners.add(onGap);
    signal.addEventListener("abort", onAbort);
    try {
      while (!signal.aborted) {
        const event = queue.shift();
        if (event === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        } else {
          yield event;
        }
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#watchers.delete(push);
      if (onGap !== undefined) this.#gapListeners.delete(onGap);
    }
  }

  /** Notes the call, and gives others a turn, as a real engine would. */
  protected async begin(call: keyof Engine & string, signal: AbortSignal | null): Promise<void> {
    this.calls.push(call);
    await Promise.resolve();
    if (this.#hangs.delete(call)) {
      await (signal === null ? new Promise<never>(() => undefined) : aborted(signal));
    }
    if (signal?.aborted === true) {
      throw new OneloopError("cancelled", "The step was cancelled.", { cause: signal.reason });
    }
    const failure = this.#failures.get(call);
    if (failure === undefined) return;
    this.#failures.delete(call);
    throw failure;
  }

  /** A member's program ends, for whatever reason. */
  protected finish(
    owner: Owner,
    service: string,
    how: { member: Member; exitCode: number; outOfMemory?: boolean },
  ): void {
    const { member, exitCode, outOfMemory = false } = how;
    member.state = "exited";
    member.exitCode = exitCode;
    member.outOfMemory = outOfMemory;
    leave(member);
    if (outOfMemory) this.#emit({ owner, service, kind: "out-of-memory", exitCode: null });
    this.#emit({ owner, service, kind: "died", exitCode });
  }

  /** @throws OneloopError `engine-failed` where the sandbox of an owner does not run. */
  protected withSandbox(owner: Owner): Held {
    const held = this.hold(owner);
    if (held.sandbox === "running") return held;
    throw new OneloopError("engine-failed", "The sandbox does not run. Start the workspace again.");
  }

  protected image(ref: string): ImageFacts {
    const facts = this.options.images[ref];
    if (facts !== undefined) return facts;
    // What was built says of itself what the first of all images says.
    const [base] = Object.values(this.options.images);
    if (base !== undefined && this.built.has(ref)) return { ...base, id: ref };
    throw new OneloopError("image-unavailable", `The image ${ref} is not on this engine.`);
  }

  protected address(): SupervisorAddress {
    return this.options.address ?? { host: "127.0.0.1", port: supervisorPort };
  }

  protected hold(owner: Owner): Held {
    const existing = this.held.get(key(owner));
    if (existing !== undefined) return existing;
    const members = new Map<string, Member>();
    const held: Held = { owner, sandbox: "missing", members, volumes: new Set(), boot: "" };
    this.held.set(key(owner), held);
    return held;
  }

  #emit(event: EngineEvent): void {
    for (const push of this.#watchers) push(event);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

export function key(owner: Owner): string {
  return `${owner.kind}/${owner.id}`;
}
