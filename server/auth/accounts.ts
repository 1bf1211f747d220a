import { createHash } from "node:crypto";
import ssh2 from "ssh2";
import type { AccountStore, SshKeyRow, TokenRow, UserRow } from "../db/accounts.ts";
import { OneloopError } from "../protocol/errors.ts";
import type { SshKeyView } from "../protocol/workspace.ts";
import type { Clock } from "../util/clock.ts";
import type { Ids } from "../util/ids.ts";
import { isSoundPublicKey } from "../util/public-key.ts";

export interface SignedIn {
  readonly id: string;
  readonly name: string;
  readonly role: "owner" | "member";
  /** The session or token that this request came with. */
  readonly tokenId: string;
}

/** Secrets of ours begin with this, so that scanners and the port proxy know them. */
export const tokenPrefix = "oneloop_";

const dayMs = 24 * 60 * 60 * 1000;
/** A browser signs in again after a month; a command line's token lives for a year. */
const lifetimeMs = { session: 30 * dayMs, token: 365 * dayMs };
/** Long enough to walk over to another machine, short enough to be worthless in an old log. */
const linkLifetimeMs = 60 * 60 * 1000;
/** The local code is as good as the folder that it lies in: it is replaced when it is used. */
const localLifetimeMs = 365 * dayMs;

/** When a session was used last is kept to the minute. */
const useGrainMs = 60_000;

const keyTypes = new Set([
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "ssh-rsa",
]);

/** Who a person is: codes, sessions, tokens and SSH keys. */
export class Accounts {
  readonly #store: AccountStore;
  readonly #clock: Clock;
  readonly #ids: Ids;
  /** Called after the local code was spent, to make the next one. */
  onLocalCodeSpent: (() => Promise<void>) | null = null;

  constructor(store: AccountStore, { clock, ids }: { clock: Clock; ids: Ids }) {
    this.#store = store;
    this.#clock = clock;
    this.#ids = ids;
  }

  /** The installation's owner, made at the first start. */
  async ensureOwner(name: string): Promise<UserRow> {
    return this.#store.ensureOwner({ id: this.#ids.id(), name });
  }

  async forgetOldCodes(): Promise<void> {
    await this.#store.dropOldCodes(new Date(this.#clock.now()));
  }

  /** A one-time code for `userId`; it is shown once and kept as a hash. */
  async issueCode(userId: string, purpose: "link" | "local"): Promise<string> {
    const code = this.#ids.secret();
    const forMs = purpose === "link" ? linkLifetimeMs : localLifetimeMs;
    await this.#store.addCode({
      hash: hash(code),
      userId,
      purpose,
      expiresAt: new Date(this.#clock.now() + forMs),
    });
    return code;
  }

  /**
   * Spends a one-time code for a session or a token.
   *
   * @throws OneloopError `sign-in-code-invalid` when it is unknown, used or expired.
   */
  async exchange(request: {
    code: string;
    kind: "session" | "token";
    name: string;
  }): Promise<{ secret: string; user: Omit<SignedIn, "tokenId"> }> {
    const now = new Date(this.#clock.now());
    const spent = await this.#store.spendCode(hash(request.code), now);
    if (spent === null) {
      throw new OneloopError(
        "sign-in-code-invalid",
        "This sign-in link was used already or has expired. `npm start` prints a new one.",
      );
    }
    const secret = tokenPrefix + this.#ids.secret();
    await this.#store.addToken({
      id: this.#ids.id(),
      hash: hash(secret),
      userId: spent.user.id,
      kind: request.kind,
      name: request.name,
      expiresAt: new Date(now.getTime() + lifetimeMs[request.kind]),
    });
    if (spent.purpose === "local") await this.onLocalCodeSpent?.();
    return { secret, user: personOf(spent.user) };
  }

  /** Null when the secret is of no session or token that is still good. */
  async authenticate(secret: string, kind: "session" | "token"): Promise<SignedIn | null> {
    if (!secret.startsWith(tokenPrefix) || secret.length > 200) return null;
    const found = await this.#store.findToken(hash(secret), new Date(this.#clock.now()));
    if (found === null || found.token.kind !== kind) return null;
    await this.#noteUse(found.token);
    return { ...personOf(found.user), tokenId: found.token.id };
  }

  /** To the minute: not every request is a write. */
  async #noteUse({ id, lastUsedAt }: TokenRow): Promise<void> {
    const now = this.#clock.now();
    if (lastUsedAt !== null && now - lastUsedAt.getTime() < useGrainMs) return;
    await this.#store.tokenUsed(id, new Date(now));
  }

  /** Who is behind a session or token that is still good, by its id; null when it is not. */
  async byTokenId(tokenId: string): Promise<SignedIn | null> {
    const found = await this.#store.tokenById(tokenId, new Date(this.#clock.now()));
    return found === null ? null : { ...personOf(found.user), tokenId: found.token.id };
  }

  /** Ends a session or token, and what is connected by it; false for another's as for none. */
  async revoke(userId: string, tokenId: string): Promise<boolean> {
    return this.#store.removeToken(userId, tokenId);
  }

  async listKeys(userId: string): Promise<SshKeyView[]> {
    return (await this.#store.listKeys(userId)).map(keyView);
  }

  /**
   * @param key.publicKey a line of an OpenSSH `.pub` file.
   * @throws OneloopError `bad-input` when it is no public key that the gateway takes, `conflict`
   * when it is added already.
   */
  async addKey(userId: string, key: { name: string; publicKey: string }): Promise<SshKeyView> {
    const { type, blob, comment } = parsePublicKey(key.publicKey);
    const row = await this.#store.addKey({
      id: this.#ids.id(),
      userId,
      name: key.name === "" ? comment || type : key.name,
      type,
      blob,
      fingerprint: fingerprint(blob),
    });
    if (row === null) {
      throw new OneloopError(
        "conflict",
        "This key is added already. `loop keys list` shows yours.",
      );
    }
    return keyView(row);
  }

  async removeKey(userId: string, id: string): Promise<boolean> {
    return this.#store.removeKey(userId, id);
  }

  /** Whose key this is, by its wire form. */
  async userOfKey(blob: Buffer): Promise<{ userId: string; keyId: string } | null> {
    const row = await this.#store.findKey(blob);
    return row === null ? null : { userId: row.userId, keyId: row.id };
  }
}

function personOf({ id, name, role }: UserRow): Omit<SignedIn, "tokenId"> {
  return { id, name, role };
}

function hash(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

/** As `ssh-keygen -l` prints it. */
function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

function parsePublicKey(line: string): { type: string; blob: Buffer; comment: string } {
  const text = line.trim();
  if (text.includes("PRIVATE KEY")) {
    throw new OneloopError(
      "bad-input",
      "This is a private key. Give the public one: the file beside it that ends in .pub.",
    );
  }
  const [type = "", , ...comment] = text.split(/\s+/);
  const parsed = /[\r\n]/.test(text) ? new Error("more than one line") : ssh2.utils.parseKey(text);
  if (parsed instanceof Error || Array.isArray(parsed) || !keyTypes.has(type)) {
    throw new OneloopError(
      "bad-input",
      "This is no public key that the gateway takes: one line that begins with ssh-ed25519, ecdsa-sha2-nistp… or ssh-rsa.",
      { cause: parsed },
    );
  }
  if (!isSoundPublicKey(parsed.getPublicPEM())) {
    throw new OneloopError(
      "bad-input",
      "This key is damaged, or an RSA key of fewer than 2048 bits. Make a new one: ssh-keygen -t ed25519",
    );
  }
  return { type, blob: parsed.getPublicSSH(), comment: comment.join(" ").slice(0, 100) };
}

function keyView(row: SshKeyRow): SshKeyView {
  const { id, name, type, fingerprint, createdAt } = row;
  return { id, name, type, fingerprint, createdAt: createdAt.toISOString() };
}
