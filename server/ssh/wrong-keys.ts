import type { Clock } from "../util/clock.ts";

/** A person's agent offers some keys in one connection; a script that tries them has many. */
const maxFailures = 30;
/** After this without a new one, all of a place's failures are forgotten. */
const forgetAfterMs = 60_000;
/** Of more, the oldest is forgotten: an attacker of a whole network cannot fill our memory. */
const maxPlaces = 10_000;

interface Failures {
  count: number;
  lastMs: number;
}

/**
 * Connections that ended without a sign-in although keys or codes were offered, by the place that they came
 * from. From a place with too many of them no new connection is let in for a minute. What is open
 * stays open, whoever is at the same address: nobody can be locked out of what they hold.
 */
export class WrongKeys {
  readonly #clock: Clock;
  readonly #places = new Map<string, Failures>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  failed(place: string): void {
    const known = this.#ofPlace(place);
    // Last in the order of the map: the first one is the oldest.
    this.#places.delete(place);
    this.#places.set(place, { count: (known?.count ?? 0) + 1, lastMs: this.#now() });
    const [oldest] = this.#places.keys();
    if (this.#places.size > maxPlaces && oldest !== undefined) this.#places.delete(oldest);
  }

  areTooMany(place: string): boolean {
    return (this.#ofPlace(place)?.count ?? 0) >= maxFailures;
  }

  #ofPlace(place: string): Failures | undefined {
    const known = this.#places.get(place);
    return known !== undefined && this.#now() - known.lastMs < forgetAfterMs ? known : undefined;
  }

  #now(): number {
    return this.#clock.now();
  }
}
