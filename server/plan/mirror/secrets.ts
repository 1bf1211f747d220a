import type { Place } from "../../protocol/fact.ts";
import type { PlannedSecret } from "../../protocol/plan.ts";

/** Collects production's secrets, each once, with the services that get it. */
export class Secrets {
  readonly #known = new Map<string, PlannedSecret>();

  add(
    { secret, key }: { readonly secret: string; readonly key: string },
    { service, where }: { service: string; where: Place },
  ): void {
    const id = JSON.stringify([secret, key]);
    const before = this.#known.get(id);
    this.#known.set(id, {
      secret,
      key,
      variable: secretVariable(secret, key),
      services: [...new Set([...(before?.services ?? []), service])],
      where: [...(before?.where ?? []), where],
    });
  }

  all(): PlannedSecret[] {
    return [...this.#known.values()];
  }
}

/** The variable of the user that gives a secret its value: `DATABASE_PASSWORD` for database/password. */
export function secretVariable(secret: string, key: string): string {
  const name = `${secret}_${key}`.toUpperCase().replaceAll(/[^A-Z0-9]+/g, "_");
  return /^\d/.test(name) ? `_${name}` : name;
}
