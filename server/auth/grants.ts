import { createPrivateKey, createPublicKey, hkdfSync, sign, type KeyObject } from "node:crypto";
import {
  grantLifetimeMs,
  grantScheme,
  type GrantAction,
  type GrantClaims,
} from "../protocol/supervisor.ts";
import type { Clock } from "../util/clock.ts";
import type { Ids } from "../util/ids.ts";

/** The DER prefix of a PKCS #8 Ed25519 private key (RFC 8410 section 7); the 32-byte seed follows. */
const ed25519Pkcs8Prefix = Buffer.from("302e020100300506032b657004220420", "hex");

export interface GrantRequest {
  readonly workspace: string;
  readonly boot: string;
  readonly actor: string;
  readonly action: GrantAction;
  readonly readOnly: boolean;
}

/** Signs what a request to a supervisor may do. All control planes of one secret key sign alike. */
export class GrantSigner {
  readonly #key: KeyObject;
  readonly #clock: Clock;
  readonly #ids: Ids;
  /** SPKI, DER, base64: what a supervisor is told at its start. */
  readonly publicKey: string;

  constructor(secretKey: string, { clock, ids }: { clock: Clock; ids: Ids }) {
    const seed = Buffer.from(hkdfSync("sha256", secretKey, "", "oneloop grants v1", 32));
    this.#key = createPrivateKey({
      key: Buffer.concat([ed25519Pkcs8Prefix, seed]),
      format: "der",
      type: "pkcs8",
    });
    this.#clock = clock;
    this.#ids = ids;
    this.publicKey = createPublicKey(this.#key)
      .export({ format: "der", type: "spki" })
      .toString("base64");
  }

  /** The value of an `Authorization` header, good once, for 30 s. */
  sign(request: GrantRequest): string {
    const claims: GrantClaims = {
      ...request,
      expiresAt: this.#clock.now() + grantLifetimeMs,
      nonce: this.#ids.id(),
    };
    const payload = Buffer.from(JSON.stringify(claims)).toString("base64url");
    const signature = sign(null, Buffer.from(payload), this.#key).toString("base64url");
    return `${grantScheme} ${payload}.${signature}`;
  }
}
