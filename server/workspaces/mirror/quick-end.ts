import type { Engine, Owner } from "../../engine/engine.ts";
import type { RunStep } from "../reconciler-turn.ts";
import type { Mirrored } from "./mirrored.ts";

/** Somebody waits for what they saved: a program has no longer to end itself than this. */
const mostGraceMs = 1000;

interface EndParts {
  readonly owner: Owner;
  readonly service: Mirrored;
  readonly engine: Pick<Engine, "stopService">;
  readonly step: RunStep;
}

/**
 * Ends a service that is about to start again with what was saved. One that TERM did not end in time
 * is killed at once from then on: as process 1 many do nothing at TERM, and nobody could tell before
 * (Node says that it handles it, and then takes the kernel's default, which is none there).
 */
export class QuickEnd {
  readonly #parts: EndParts;
  #outlivesTerm = false;

  constructor(parts: EndParts) {
    this.#parts = parts;
  }

  /** Its image is another now. */
  forget(): void {
    this.#outlivesTerm = false;
  }

  /** Resolves when its container has ended. */
  async end(signal: AbortSignal): Promise<void> {
    const { engine, owner, service, step } = this.#parts;
    const which = { owner, service: service.name };
    const { stopGraceSeconds } = service.mirror;
    const most = Math.min((stopGraceSeconds ?? Infinity) * 1000, mostGraceMs);
    const graceMs = this.#outlivesTerm ? 0 : most;
    const began = performance.now();
    await step("stop", signal, (options) => engine.stopService(which, { ...options, graceMs }));
    this.#outlivesTerm ||= performance.now() - began >= most;
  }
}
