import ssh2 from "ssh2";
import type { AuthContext, Connection, PublicKeyAuthContext } from "ssh2";
import { OneloopError } from "../protocol/errors.ts";
import { isSoundPublicKey } from "../util/public-key.ts";
import { sendBanner } from "./banner.ts";
import type { Refusal } from "./refusal.ts";

/** A client's public key: what the agent shows, before anything is proved. */
export interface OfferedKey {
  /** The key's type, such as `ssh-ed25519`; `ssh-rsa` whatever the signature's hash is. */
  readonly algorithm: string;
  /** The key as in an `authorized_keys` line, decoded. */
  readonly blob: Buffer;
}

export interface Identity {
  readonly userId: string;
  readonly keyId: string;
  /** The SSH user name: which workspace, as the client wrote it. */
  readonly login: string;
}

type Authenticate = (key: OfferedKey) => Promise<{ userId: string; keyId: string } | null>;

const keyTypes: ReadonlySet<string> = new Set([
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "ssh-rsa",
]);

/** As OpenSSH's MaxAuthTries: keys that an agent offers count. */
const maxTries = 6;

/** A workspace's name and a service's, with what is between them, are shorter. */
const maxUserNameBytes = 256;

/** What helps a person whose client has another key, and tells nobody whose key is known. */
const sentences: Partial<Record<Refusal, string>> = {
  "security-key":
    "oneloop: Keys of security keys (sk-…) cannot be used here. Add another: loop keys add",
  "sha1-signature":
    "oneloop: This ssh signs with SHA-1 only (ssh-rsa). Use an Ed25519 key, or an ssh that has " +
    "rsa-sha2-256 (OpenSSH 7.2 and later).",
};

export interface AuthenticationHandlers {
  readonly onIdentity: (identity: Identity) => void;
  readonly onRefusal: (reason: Refusal) => void;
  /** For what should not happen, such as a database that is away. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Authenticates one connection by public key. Whoever fails learns nothing: an unknown key, a
 * wrong signature and another method get the same refusal, and which workspace is meant is looked
 * at only afterwards. What a key's kind alone decides is said in a sentence.
 */
export function authenticateConnection(
  client: Connection,
  authenticate: Authenticate,
  handlers: AuthenticationHandlers,
): void {
  let refused = 0;
  const told = new Set<string>();
  const refuse = (context: AuthContext, reason: Refusal): void => {
    handlers.onRefusal(reason);
    const sentence = sentences[reason];
    if (sentence !== undefined && !told.has(sentence)) {
      told.add(sentence);
      sendBanner(client, sentence);
    }
    refused += 1;
    if (refused < maxTries) {
      context.reject(["publickey"]);
      return;
    }
    handlers.onRefusal("too-many-attempts");
    client.end();
  };
  const decide = async (context: AuthContext): Promise<void> => {
    if (Buffer.byteLength(context.username) > maxUserNameBytes) {
      handlers.onRefusal("long-user-name");
      client.end();
      return;
    }
    // RFC 4252 section 5.2: it only asks which methods there are.
    if (context.method === "none") return context.reject(["publickey"]);
    if (context.method !== "publickey") return refuse(context, methodRefusal(context));
    const unfit = keyRefusal(context);
    if (unfit !== null) return refuse(context, unfit);
    const { algo, data } = context.key;
    const user = await authenticate({ algorithm: algo, blob: Buffer.from(data) });
    if (user === null) return refuse(context, "unknown-key");
    if (context.signature === undefined) {
      context.accept();
      return;
    }
    if (!isSigned(context)) return refuse(context, "bad-signature");
    handlers.onIdentity({ ...user, login: context.username });
    context.accept();
  };
  client.on("authentication", (context) => {
    decide(context).catch((error: unknown) => {
      // An SSH client prints no more of an end than that it came.
      if (error instanceof OneloopError) sendBanner(client, `oneloop: ${error.message}`);
      handlers.onFailure(error);
    });
  });
}

function methodRefusal({ method }: AuthContext): Refusal {
  return method === "password" || method === "keyboard-interactive" ? "password" : "other-method";
}

/** Why a key of this kind is not looked up at all; null where it is. */
function keyRefusal({ key, hashAlgo }: PublicKeyAuthContext): Refusal | null {
  if (key.algo.startsWith("sk-")) return "security-key";
  if (!keyTypes.has(key.algo)) return "key-type";
  // ssh2 gives `ssh-rsa` without a hash for a SHA-1 signature (RFC 8332 has the others).
  if (key.algo !== "ssh-rsa" || hashAlgo === "sha256" || hashAlgo === "sha512") return null;
  return "sha1-signature";
}

function isSigned({ key, blob, signature, hashAlgo }: PublicKeyAuthContext): boolean {
  if (blob === undefined || signature === undefined) return false;
  const parsed = ssh2.utils.parseKey(`${key.algo} ${key.data.toString("base64")}`);
  if (parsed instanceof Error || Array.isArray(parsed)) return false;
  // The announced type must be the key's own: it decides what is verified, and how.
  if (parsed.type !== key.algo || !parsed.getPublicSSH().equals(key.data)) return false;
  if (!isSoundPublicKey(parsed.getPublicPEM())) return false;
  // Where OpenSSL fails, ssh2 gives its error instead of false (its types say otherwise).
  const verified: unknown = parsed.verify(blob, signature, hashAlgo);
  return verified === true;
}
