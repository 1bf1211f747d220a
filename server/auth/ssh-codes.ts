import { createHash } from "node:crypto";
import type { SshCodeStore } from "../db/ssh-codes.ts";
import { OneloopError } from "../protocol/errors.ts";
import type { SshCodeView } from "../protocol/workspace.ts";
import type { Clock } from "../util/clock.ts";
import { consonants, type Ids } from "../util/ids.ts";
import type { SignedIn } from "./accounts.ts";
import type { ConnectedBy } from "./live.ts";

/** Long enough to get from one machine's terminal to another's, and to type it again. */
const lifetimeMs = 5 * 60 * 1000;

/** Of `Ids.typed`, without what stands between its letters: nothing else is looked up. */
const form = new RegExp(`^[${consonants}]{16}$`);

/**
 * One-time codes with which somebody who is signed in elsewhere signs in by ssh, without a key. What
 * is connected by one hangs on the session or token that asked for it.
 */
export class SshCodes {
  readonly #store: SshCodeStore;
  readonly #enabled: boolean;
  readonly #clock: Clock;
  readonly #ids: Ids;

  /** @param parts.enabled whether the operator turned them on. */
  constructor(
    store: SshCodeStore,
    { enabled, clock, ids }: { enabled: boolean; clock: Clock; ids: Ids },
  ) {
    this.#store = store;
    this.#enabled = enabled;
    this.#clock = clock;
    this.#ids = ids;
  }

  /**
   * A new code, instead of an earlier one of the same session or token; it is shown once and kept as
   * a hash.
   *
   * @throws OneloopError `forbidden` where the operator did not turn them on.
   */
  async issue(actor: SignedIn): Promise<SshCodeView> {
    if (!this.#enabled) {
      throw new OneloopError(
        "forbidden",
        "Here ssh takes keys only: `loop keys add`. One-time codes are turned on by the operator, with ONELOOP_SSH_CODES=on.",
      );
    }
    const code = this.#ids.typed();
    const expiresAt = new Date(this.#clock.now() + lifetimeMs);
    await this.#store.put({ tokenId: actor.tokenId, hash: hash(code), expiresAt });
    // In groups, as people read and type it.
    return { code: code.replaceAll(/....(?=.)/g, "$&-"), expiresAt: expiresAt.toISOString() };
  }

  /**
   * Spends a code, as a person typed it; null when it is wrong, used or expired. The comparison is
   * the database's, of hashes: how long it takes says nothing of the code.
   */
  async spend(typed: string): Promise<ConnectedBy | null> {
    const code = typed.toLowerCase().replaceAll(/[\s-]/g, "");
    if (!form.test(code)) return null;
    const spent = await this.#store.spend(hash(code), new Date(this.#clock.now()));
    return spent === null ? null : { userId: spent.userId, credentialId: spent.tokenId };
  }
}

function hash(code: string): Buffer {
  return createHash("sha256").update(code).digest();
}
