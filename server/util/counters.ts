/** One counter, by a short reason. */
export interface Counter {
  /** @param reason of a closed list of the caller's: each one stays a line for ever. */
  add(reason: string): void;
}

interface Family {
  readonly help: string;
  readonly label: string;
  readonly counts: Map<string, number>;
}

/** What this process has counted since it started, in the text format of Prometheus (0.0.4). */
export class Counters {
  readonly #families = new Map<string, Family>();

  /**
   * @param name such as `oneloop_ssh_refusals_total`.
   * @param reasons shown with 0 until they happen, so that a rate can be taken of the first one.
   */
  counter(
    name: string,
    { help, label, reasons }: { help: string; label: string; reasons: readonly string[] },
  ): Counter {
    const counts = new Map(reasons.map((reason) => [reason, 0]));
    this.#families.set(name, { help, label, counts });
    return {
      add: (reason) => void counts.set(reason, (counts.get(reason) ?? 0) + 1),
    };
  }

  text(): string {
    const families = [...this.#families].flatMap(([name, { help, label, counts }]) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} counter`,
      ...[...counts].map(([reason, count]) => `${name}{${label}="${reason}"} ${count}`),
    ]);
    return families.map((line) => `${line}\n`).join("");
  }
}
