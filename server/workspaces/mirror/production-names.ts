import type { Engine } from "../../engine/engine.ts";
import type { WorkspaceSpec } from "../../engine/steps.ts";
import type { RunStep } from "../reconciler-turn.ts";
import type { Gate } from "./gate.ts";
import type { Mirrored } from "./mirrored.ts";
import type { Note } from "./notes.ts";

export interface NamesParts {
  readonly engine: Pick<Engine, "ensureSandbox">;
  readonly gate: Gate;
  readonly step: RunStep;
  readonly note: Note;
}

/**
 * What production's names lead to in one workspace: a sandbox for each service that is no other's
 * part. They are made one after the other while somebody waits for the workspace itself, and the rest
 * beside each other when it runs.
 */
export class ProductionNames {
  readonly #spec: WorkspaceSpec;
  readonly #services: readonly string[];
  readonly #parts: NamesParts;
  readonly #ended = new AbortController();
  readonly #made = new Map<string, Promise<void>>();
  #isWanted = false;
  /** Nothing is made before: another may still work on the same sandboxes. */
  #after: Promise<void> = Promise.resolve();
  #ahead: Promise<void> = Promise.resolve();

  constructor(spec: WorkspaceSpec, mirrored: readonly Mirrored[], parts: NamesParts) {
    this.#spec = spec;
    this.#services = mirrored
      .filter(({ mirror }) => mirror.partOf === null)
      .map(({ name }) => name);
    this.#parts = parts;
  }

  /** Begins while the workspace is brought up; its network must be there. */
  makeAhead(after: Promise<void> = Promise.resolve()): void {
    this.#after = after;
    this.#ahead = this.#makeAhead();
  }

  /**
   * Makes what is missing. A sandbox that cannot be made is its service's failure, where that is
   * started: here it only ends.
   *
   * @param there services that have one
   */
  async makeAll(there: ReadonlySet<string>): Promise<void> {
    this.#isWanted = true;
    const missing = this.#services.filter((service) => !there.has(service));
    await Promise.all(missing.map((service) => this.#make(service)));
  }

  /** Nothing is made from here on. */
  async end(): Promise<void> {
    this.#ended.abort();
    await Promise.all([this.#ahead, ...this.#made.values()]);
  }

  async #makeAhead(): Promise<void> {
    for (const service of this.#services) {
      if (this.#isWanted || this.#ended.signal.aborted) return;
      await this.#make(service);
    }
  }

  #make(service: string): Promise<void> {
    const made = this.#made.get(service) ?? this.#ensure(service).catch(() => undefined);
    this.#made.set(service, made);
    return made;
  }

  async #ensure(service: string): Promise<void> {
    await this.#after;
    const { engine, gate, step, note } = this.#parts;
    // Each waits by itself for its turn: hundreds that listen to one signal are a leak's sign.
    const own = AbortSignal.any([this.#ended.signal]);
    await gate.run(own, () =>
      step("sandbox", own, (options) =>
        engine.ensureSandbox(this.#spec, {
          ...options,
          service,
          onProgress: (line) => note("info", "sandbox", line),
        }),
      ),
    );
  }
}
