import type { KeyObject } from "node:crypto";
import {
  grantScheme,
  type GrantAction,
  type GrantClaims,
} from "../../server/protocol/supervisor.ts";
import { parseJson, readClaims } from "./guards.ts";
import { Refusal } from "./refusal.ts";

/** Milliseconds since 1970. */
export type Now = () => number;

export interface GrantNeed {
  readonly action: GrantAction;
  /** Whether a grant to look on is enough. */
  readonly forReadOnly: boolean;
}

/** Knows the control plane by its public key, and lets each grant in once. */
export class Grants {
  readonly #of: { readonly workspace: string; readonly boot: string };
  readonly #now: Now;
  readonly #publicKey: string;
  #key: KeyObject | null = null;
  /** Used nonces with their expiry; they come nearly in the order of expiry. */
  readonly #used = new Map<string, number>();

  constructor(
    publicKey: string,
    options: { readonly workspace: string; readonly boot: string; readonly now: Now },
  ) {
    this.#publicKey = publicKey;
    this.#of = options;
    this.#now = options.now;
  }

  /**
   * Checks an `Authorization` header and uses the grant up.
   *
   * @throws Refusal 401 for a grant that is none (forged, old, used, for another boot), 403 for one
   * that allows something else.
   */
  use(header: string | undefined, need: GrantNeed): GrantClaims {
    const claims = this.#verified(header);
    const now = this.#now();
    if (claims.workspace !== this.#of.workspace) throw unknown("it is for another workspace");
    if (claims.boot !== this.#of.boot) throw unknown("it is for another boot");
    if (claims.expiresAt < now) throw unknown("it has expired");
    this.#prune(now);
    if (this.#used.has(claims.nonce)) throw unknown("it was used before");
    this.#used.set(claims.nonce, claims.expiresAt);
    if (claims.action !== need.action || (claims.readOnly && !need.forReadOnly)) {
      throw new Refusal(403, "forbidden", "The grant does not allow this.");
    }
    return claims;
  }

  #verified(header: string | undefined): GrantClaims {
    const match = new RegExp(`^${grantScheme} ([\\w-]+)\\.([\\w-]+)$`).exec(header ?? "");
    const [, payload, signature] = match ?? [];
    if (payload === undefined || signature === undefined) throw unknown("there is none");
    // Loaded at the first request: it is a sixth of the time that the start takes.
    const { createPublicKey, verify } = process.getBuiltinModule("node:crypto");
    this.#key ??= createPublicKey({
      key: Buffer.from(this.#publicKey, "base64"),
      format: "der",
      type: "spki",
    });
    const signed = Buffer.from(payload);
    if (!verify(null, signed, this.#key, Buffer.from(signature, "base64url"))) {
      throw unknown("its signature is wrong");
    }
    return readClaims(parseJson(Buffer.from(payload, "base64url").toString("utf8")));
  }

  /** A nonce is kept as long as its grant would be taken, so the map holds seconds of requests. */
  #prune(now: number): void {
    for (const [nonce, expiresAt] of this.#used) {
      if (expiresAt >= now) return;
      this.#used.delete(nonce);
    }
  }
}

function unknown(why: string): Refusal {
  return new Refusal(401, "forbidden", `The grant is refused: ${why}.`);
}
