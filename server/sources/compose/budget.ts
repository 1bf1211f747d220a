/**
 * Parts that are read, copied by merges or made from variables, over all files of one project. Five
 * hundred ordinary services take about 60,000; what takes this many is written to take for ever.
 */
const maxSteps = 500_000;

/** Thrown where a project is too much; `readCompose` makes a diagnostic of it. */
export class TooMuch extends Error {}

/** Bounds what a small file can make of itself by `extends`, anchors and variables. */
export class Budget {
  #left = maxSteps;

  /** @throws TooMuch */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new TooMuch();
  }
}
