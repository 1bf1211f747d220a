import type { Engine } from "../../engine/engine.ts";
import type { ChangedFile } from "../../engine/services.ts";
import type { Owner } from "../../engine/steps.ts";
import type { RunStep } from "../reconciler-turn.ts";
import type { Mirrored } from "./mirrored.ts";

/** Somebody waits for what they saved: a program has no longer to end itself than this. */
const mostGraceMs = 1000;

interface RenewalParts {
  readonly owner: Owner;
  readonly service: Mirrored;
  readonly engine: Pick<Engine, "renewService">;
  readonly step: RunStep;
}

/**
 * Starts a service again with what was saved. One that TERM did not end is killed at once from then
 * on: as process 1 many do nothing at TERM, and nobody could tell before (Node says that it handles
 * it, and then takes the kernel's default, which is none there).
 */
export class Renewal {
  readonly #parts: RenewalParts;
  #outlivesTerm = false;

  constructor(parts: RenewalParts) {
    this.#parts = parts;
  }

  /** Its image is another now. */
  forget(): void {
    this.#outlivesTerm = false;
  }

  /** Resolves with whether its program runs again; its container has ended and has the files else. */
  async begin(files: readonly ChangedFile[], signal: AbortSignal): Promise<boolean> {
    const { engine, owner, service, step } = this.#parts;
    const which = { owner, service: service.name };
    const { stopGraceSeconds } = service.mirror;
    const most = Math.min((stopGraceSeconds ?? Infinity) * 1000, mostGraceMs);
    const graceMs = this.#outlivesTerm ? 0 : most;
    const { started, killed } = await step("start", signal, (options) =>
      engine.renewService(which, files, { ...options, graceMs }),
    );
    this.#outlivesTerm ||= killed;
    return started;
  }
}
