import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { Clock } from "../util/clock.ts";
import type { Ids } from "../util/ids.ts";
import type { PortSession } from "./access.ts";

/** `__Host-`: for this host name only, over TLS (or on localhost), for all paths. */
export const portCookie = "__Host-oneloop-port";

/** The path on every port host where a code becomes a cookie. The rest is the workspace's. */
export const portSignInPath = "/.oneloop/sign-in";

/** From the app's redirect to the browser's next request: short, as the code is in a URL. */
const codeLifetimeMs = 30_000;
/** A working day; then the browser passes by the app again, unseen. */
const cookieLifetimeMs = 12 * 60 * 60 * 1000;

const Claims = z.object({
  kind: z.enum(["code", "cookie"]),
  userId: z.string(),
  /** The app's session that the code was made in: with it, the cookie ends. */
  tokenId: z.string(),
  /** The port host's name, in lower case, without a port. */
  host: z.string(),
  expiresAt: z.number(),
  nonce: z.string(),
});
type Claims = z.infer<typeof Claims>;

/**
 * Who is signed in on a port host. The app's own cookie never comes there, so the app hands over a
 * code, bound to the host, good once and for 30 s, and the port host makes a cookie of it. With
 * several control planes, "once" holds for each of them; the 30 s hold for all.
 */
export class PortSignIn {
  readonly #key: Buffer;
  readonly #clock: Clock;
  readonly #ids: Ids;
  /** Nonce → when it may be forgotten. */
  readonly #used = new Map<string, number>();

  constructor(secretKey: string, { clock, ids }: { clock: Clock; ids: Ids }) {
    this.#key = Buffer.from(hkdfSync("sha256", secretKey, "", "oneloop port sign-in v1", 32));
    this.#clock = clock;
    this.#ids = ids;
  }

  mintCode({ userId, tokenId }: PortSession, host: string): string {
    return this.#sign({ kind: "code", userId, tokenId, host }, codeLifetimeMs);
  }

  /** @returns a Set-Cookie header's value; `null` when the code is not good, or no longer. */
  redeemCode(code: string, host: string): string | null {
    const claims = this.#verify(code, "code", host);
    if (claims === null || this.#used.has(claims.nonce)) return null;
    const now = this.#clock.now();
    for (const [nonce, expiresAt] of this.#used) if (expiresAt < now) this.#used.delete(nonce);
    this.#used.set(claims.nonce, claims.expiresAt);
    const { userId, tokenId } = claims;
    const value = this.#sign({ kind: "cookie", userId, tokenId, host }, cookieLifetimeMs);
    return [
      `${portCookie}=${value}`,
      "Path=/",
      `Max-Age=${cookieLifetimeMs / 1000}`,
      "HttpOnly",
      "Secure",
      "SameSite=Lax",
    ].join("; ");
  }

  /** @param cookies the values of all cookies of our name. */
  session(cookies: readonly string[], host: string): PortSession | null {
    for (const cookie of cookies) {
      const claims = this.#verify(cookie, "cookie", host);
      if (claims !== null) return { userId: claims.userId, tokenId: claims.tokenId };
    }
    return null;
  }

  #sign(claims: Omit<Claims, "expiresAt" | "nonce">, lifetimeMs: number): string {
    const whole: Claims = {
      ...claims,
      expiresAt: this.#clock.now() + lifetimeMs,
      nonce: this.#ids.id(),
    };
    const payload = Buffer.from(JSON.stringify(whole)).toString("base64url");
    return `${payload}.${this.#mac(payload).toString("base64url")}`;
  }

  #verify(text: string, kind: Claims["kind"], host: string): Claims | null {
    const [payload = "", signature = "", ...more] = text.split(".");
    if (more.length > 0) return null;
    const given = Buffer.from(signature, "base64url");
    const expected = this.#mac(payload);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
    // Signed by us: it is JSON, but may be of an older version.
    const parsed = Claims.safeParse(JSON.parse(Buffer.from(payload, "base64url").toString("utf8")));
    if (!parsed.success || parsed.data.kind !== kind || parsed.data.host !== host) return null;
    return parsed.data.expiresAt > this.#clock.now() ? parsed.data : null;
  }

  #mac(payload: string): Buffer {
    return createHmac("sha256", this.#key).update(payload).digest();
  }
}

/** A path of this host to go on to, never another host: `//evil`, `/\evil` and the like are `/`. */
export function localPath(to: string | null): string {
  return to !== null && /^\/(?![/\\])[\x21-\x7e]*$/.test(to) ? to : "/";
}
