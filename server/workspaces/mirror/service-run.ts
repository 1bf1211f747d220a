import type { ObservedMember } from "../../engine/observed.ts";
import { toOneloopError } from "../../protocol/errors.ts";
import type { MirroredService, PlannedService } from "../../protocol/service.ts";
import type { ServiceHealth } from "../../protocol/workspace.ts";
import { Poke } from "../../util/poke.ts";
import type { Condition, Reachable } from "./dependencies.ts";
import type { Note } from "./notes.ts";
import type { StatusChange, Statuses } from "./statuses.ts";
import type { Timers } from "./timers.ts";
import { endSentence, pauseWords } from "./words.ts";

/** As production's orchestrators do it: the pause after an end doubles, up to five minutes. */
const firstPauseMs = 1000;
const maxPauseMs = 5 * 60 * 1000;
/** What has run so long begins with the first pause again. */
const steadyMs = 10 * 60 * 1000;

/** What the run of one service needs of its workspace. */
export interface RunParts {
  readonly timers: Timers;
  readonly statuses: Statuses;
  /** Waits for what it depends on, and says what for. */
  readonly untilReached: (tell: (reason: string) => void, signal: AbortSignal) => Promise<void>;
  /** Makes sure of the image and starts the container; `again`: also where it runs or has ended. */
  readonly start: (
    options: { readonly again: boolean; readonly tell: (change: StatusChange) => void },
    signal: AbortSignal,
  ) => Promise<void>;
  /** How its container is, as an engine says it that is asked from now on. */
  readonly observe: () => Promise<ObservedMember | undefined>;
  /** Asks it by its probes, which last said `was`; resolves with why it must be started again. */
  readonly probe: (
    options: {
      readonly tell: (health: ServiceHealth, why?: string) => void;
      readonly was: ServiceHealth | null;
    },
    signal: AbortSignal,
  ) => Promise<string>;
  /** Ends its container. */
  readonly stop: (signal: AbortSignal) => Promise<void>;
  /** For the workspace's events. */
  readonly note: Note;
}

/** Why a service is started again that did not end by itself. */
interface Wish {
  readonly why: string;
  /** It counts among its restarts: those that people look at to see whether it is well. */
  readonly counts: boolean;
  /** Its container may be made from another image now; where it is not, it is left alone. */
  readonly onlyIfChanged: boolean;
  /** What is done while nothing else works on its container; true: its program runs again already. */
  readonly prepare: (() => Promise<boolean>) | null;
}

/** What comes after an end. */
type Next =
  | { readonly do: "begin" }
  /** Its container ran already, before this control plane did. */
  | { readonly do: "watch" }
  | { readonly do: "again"; readonly pauseMs: number }
  | { readonly do: "rest" };

/** One service of production in a workspace: started, watched, and started again as production would. */
export class ServiceRun implements Reachable {
  readonly name: string;
  readonly #service: MirroredService;
  readonly #parts: RunParts;
  readonly #listeners = new Set<() => void>();
  readonly #reached = new Set<Condition>();
  /** The engine said something of it. */
  #poke = new Poke();
  #cycle = new AbortController();
  #wish: Wish | null = null;
  #failures = 0;
  /** Why it was not running last. */
  #why: string | null = null;

  constructor({ name, mirror }: PlannedService & { mirror: MirroredService }, parts: RunParts) {
    this.name = name;
    this.#service = mirror;
    this.#parts = parts;
  }

  has(condition: Condition): boolean {
    return this.#reached.has(condition);
  }

  get stuck(): string | null {
    const { state, reason } = this.#parts.statuses.get(this.name) ?? {};
    if (state === "failed") return reason ?? "It failed.";
    return state === "completed" ? "It has ended." : null;
  }

  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  /** The engine has said something of it, or was away: it is looked at. */
  look(): void {
    this.#poke.poke();
  }

  /** A person wants it started again, whatever it does now. */
  restart(): void {
    const { prepare = null } = this.#wish ?? {};
    const why = "It was asked to start again.";
    this.#wish = { why, counts: true, onlyIfChanged: false, prepare };
    this.#reached.clear();
    this.#cycle.abort();
  }

  /**
   * It is started again as it is now in the workspace: what it waits for was there already, and that
   * is no failure of its own.
   *
   * @param wish.prepare resolves when its files are as they shall be, with whether it was started
   * with them; it must not reject.
   */
  renew(wish: Pick<Wish, "why" | "prepare" | "onlyIfChanged">): void {
    this.#wish = { ...wish, counts: false };
    this.#failures = 0;
    this.#cycle.abort();
  }

  /** Runs it until the signal is aborted. */
  async run(before: ObservedMember | undefined, signal: AbortSignal): Promise<void> {
    let next = this.#resume(before);
    while (!signal.aborted) {
      this.#cycle = new AbortController();
      const cycle = AbortSignal.any([signal, this.#cycle.signal]);
      const wish = this.#wish;
      this.#wish = null;
      if (wish !== null) next = { do: "begin" };
      try {
        if (next.do === "rest") await aborted(cycle);
        else next = await this.#once(next, wish, cycle);
      } catch (error) {
        if (cycle.aborted) continue;
        next = this.#afterFailure(error);
      }
    }
  }

  /** Goes on where a control plane before this one was. */
  #resume(before: ObservedMember | undefined): Next {
    const status = this.#parts.statuses.get(this.name);
    if (status === null) return { do: "begin" };
    switch (status.state) {
      case "running":
        this.#reach("started");
        // Of one that is not ready it says that.
        this.#why = status.health === "unready" ? null : status.reason;
        this.#failures = status.restarts;
        if (status.health === "ready" || status.health === null) this.#reach("healthy");
        return before?.state === "running" && before.isCutOff !== true
          ? { do: "watch" }
          : this.#afterEnd(before);
      case "completed":
        this.#reach("started", "completed");
        return { do: "rest" };
      case "failed":
        return { do: "rest" };
      case "backing-off":
        this.#why = status.reason;
        this.#failures = status.restarts;
        return { do: "again", pauseMs: this.#pause() };
      case "created":
      case "exited":
      case "missing":
      case "waiting":
      case "building":
      case "pulling":
      case "starting":
        return { do: "begin" };
      default:
        return status.state satisfies never;
    }
  }

  async #once(
    next: Exclude<Next, { do: "rest" }>,
    wish: Wish | null,
    signal: AbortSignal,
  ): Promise<Next> {
    const { timers, untilReached, start } = this.#parts;
    const restarts = this.#restarts;
    if (next.do === "begin") {
      this.#why = wish?.why ?? null;
      if (wish === null || wish.counts) {
        this.#set({ state: "waiting", health: null, reason: this.#why });
        await untilReached((reason) => this.#set({ state: "waiting", reason }), signal);
      }
    }
    if (next.do === "again") await timers.sleep(next.pauseMs, signal);
    if (next.do !== "watch") {
      // What the engine says from here on may be of this start; before, it was of another.
      this.#poke = new Poke();
      const again = wish === null ? next.do === "again" : !wish.onlyIfChanged;
      const counted = (wish?.counts ?? again) ? restarts + 1 : restarts;
      this.#set({ state: "starting", health: null, reason: this.#why, restarts: counted });
      const isUp = (await wish?.prepare?.()) === true;
      signal.throwIfAborted();
      // A person who wants it started again wants its settings as they are now, too.
      if (!isUp || wish?.counts === true) {
        await start({ again, tell: (change) => this.#set(change) }, signal);
      }
      this.#set({ state: "running" });
      this.#reach("started");
    }
    const was = next.do === "watch" ? (this.#parts.statuses.get(this.name)?.health ?? null) : null;
    return this.#watch(was, signal);
  }

  get #restarts(): number {
    return this.#parts.statuses.get(this.name)?.restarts ?? 0;
  }

  /** Until it ends, or its probes want it started again. */
  async #watch(was: ServiceHealth | null, signal: AbortSignal): Promise<Next> {
    const { timers, probe, stop, observe } = this.#parts;
    const startedAt = timers.now();
    const watched = new AbortController();
    const until = AbortSignal.any([signal, watched.signal]);
    const { readiness, startup } = this.#service;
    if (readiness === null && startup === null) this.#reach("healthy");
    const tell = (health: ServiceHealth, why?: string): void => this.#healthIs(health, why);
    const probed = probe({ tell, was }, until);
    // It also ends with the watch, when nobody waits for it any more.
    probed.catch(() => undefined);
    try {
      const end = await Promise.race([
        this.#untilEnded(observe, until).then((member) => ({ member })),
        probed.then((why) => ({ why })),
      ]);
      if (timers.now() - startedAt >= steadyMs) this.#failures = 0;
      if ("member" in end) return this.#afterEnd(end.member);
      watched.abort();
      await stop(signal);
      return this.#tryAgain(end.why, "probe-failed");
    } finally {
      watched.abort();
    }
  }

  async #untilEnded(
    observe: RunParts["observe"],
    signal: AbortSignal,
  ): Promise<ObservedMember | undefined> {
    while (await this.#poke.wait(signal)) {
      const member = await observe();
      if (member?.state !== "running" || member.isCutOff === true) return member;
    }
    throw signal.reason as Error;
  }

  #healthIs(health: ServiceHealth, why = this.#why ?? undefined): void {
    this.#set({ health, reason: why ?? null });
    if (health === "ready") this.#reach("healthy");
  }

  #afterEnd(member: ObservedMember | undefined): Next {
    const { role, restart } = this.#service;
    // Whatever production would do at an end: this one is ours.
    if (member?.isCutOff === true) return this.#pauseFor("Its network was lost.", "network-lost");
    const isDone = member?.exitCode === 0;
    const runsOn = role === "service" || role === "sidecar";
    if (isDone && (!runsOn || restart !== "always")) {
      this.#set({ state: "completed", health: null, reason: null });
      this.#reach("completed");
      return { do: "rest" };
    }
    const code = member?.outOfMemory === true ? "out-of-memory" : "container-exited";
    return this.#tryAgain(endSentence(member), code);
  }

  #afterFailure(thrown: unknown): Next {
    const { code, message } = toOneloopError(thrown);
    const isOurs = transient.has(code);
    if (isOurs || (mayPass.has(code) && this.#service.restart !== "no")) {
      return this.#pauseFor(message, code);
    }
    return this.#fail(message, code);
  }

  #tryAgain(why: string, code: string): Next {
    return this.#service.restart === "no" ? this.#fail(why, code) : this.#pauseFor(why, code);
  }

  #pauseFor(why: string, code: string): Next {
    const pauseMs = this.#pause();
    const reason = `${why} It is started again after ${pauseWords(pauseMs)}.`;
    this.#why = why;
    this.#set({ state: "backing-off", health: null, reason });
    this.#parts.note("warning", code, `${this.name}: ${reason}`);
    return { do: "again", pauseMs };
  }

  #fail(why: string, code: string): Next {
    const advice = ranOnce.has(code) ? "`loop logs` shows what it printed; " : "";
    const reason = `${why} ${advice}\`loop restart\` starts it again.`;
    this.#set({ state: "failed", health: null, reason });
    this.#parts.note("error", code, `${this.name}: ${reason} The others go on.`);
    return { do: "rest" };
  }

  #pause(): number {
    const pauseMs = Math.min(firstPauseMs * 2 ** Math.min(this.#failures, 16), maxPauseMs);
    this.#failures += 1;
    return pauseMs;
  }

  #set(change: StatusChange): void {
    this.#parts.statuses.set(this.name, change);
    this.#tell();
  }

  #reach(...conditions: Condition[]): void {
    for (const condition of conditions) this.#reached.add(condition);
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** After these it may have printed something. */
const ranOnce: ReadonlySet<string> = new Set(["container-exited", "out-of-memory", "probe-failed"]);

/** Of ours, or the engine's: another try may well find it otherwise, whatever production would do. */
const transient: ReadonlySet<string> = new Set([
  "engine-unreachable",
  "engine-failed",
  "database-unavailable",
  "deadline-exceeded",
  "internal",
]);

/** What production's orchestrator would try again: an image that is not there yet, a bad command. */
const mayPass: ReadonlySet<string> = new Set([
  ...["image-unavailable", "image-not-found", "image-denied"],
  "container-exited",
]);
