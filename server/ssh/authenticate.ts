import ssh2 from "ssh2";
import type { AuthContext, Connection, PublicKeyAuthContext } from "ssh2";
import { isSoundPublicKey } from "../util/public-key.ts";

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

/**
 * Authenticates one connection by public key. Whoever fails learns nothing: an unknown key, a
 * wrong signature and another method get the same refusal, and which workspace is meant is looked
 * at only afterwards.
 *
 * @param onFailure for what should not happen, such as a database that is away.
 */
export function authenticateConnection(
  client: Connection,
  authenticate: Authenticate,
  handlers: {
    readonly onIdentity: (identity: Identity) => void;
    readonly onFailure: (error: unknown) => void;
  },
): void {
  let refused = 0;
  const refuse = (context: AuthContext): void => {
    // RFC 4252 section 5.2: `none` only asks which methods there are.
    if (context.method !== "none") refused += 1;
    if (refused >= maxTries) client.end();
    else context.reject(["publickey"]);
  };
  const decide = async (context: AuthContext): Promise<void> => {
    if (context.method !== "publickey" || !isAcceptable(context)) return refuse(context);
    const { algo, data } = context.key;
    const user = await authenticate({ algorithm: algo, blob: Buffer.from(data) });
    if (user === null) return refuse(context);
    if (context.signature === undefined) {
      context.accept();
      return;
    }
    if (!isSigned(context)) return refuse(context);
    handlers.onIdentity({ ...user, login: context.username });
    context.accept();
  };
  client.on("authentication", (context) => {
    decide(context).catch(handlers.onFailure);
  });
}

/** ssh2 gives `ssh-rsa` without a hash for a SHA-1 signature (RFC 8332 has the others). */
function isAcceptable({ key, hashAlgo }: PublicKeyAuthContext): boolean {
  if (!keyTypes.has(key.algo)) return false;
  return key.algo !== "ssh-rsa" || hashAlgo === "sha256" || hashAlgo === "sha512";
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
