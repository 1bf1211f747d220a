import ssh2 from "ssh2";
import type {
  AuthContext,
  AuthenticationType,
  Connection,
  KeyboardAuthContext,
  PublicKeyAuthContext,
} from "ssh2";
import type { ConnectedBy } from "../auth/live.ts";
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

/** Who is connected, by which key, or by the code of which session. */
export interface Identity extends ConnectedBy {
  /** The SSH user name: which workspace, as the client wrote it. */
  readonly login: string;
}

/** How somebody can prove who they are. */
export interface SignInWays {
  readonly userOfKey: (key: OfferedKey) => Promise<{ userId: string; keyId: string } | null>;
  /** Spends a one-time code; where it is missing, none is asked for. */
  readonly spendCode: ((typed: string) => Promise<ConnectedBy | null>) | undefined;
}

const keyTypes: ReadonlySet<string> = new Set([
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "ssh-rsa",
]);

/** As OpenSSH's MaxAuthTries: keys that an agent offers count, and so do codes. */
const maxTries = 6;

/** A workspace's name and a service's, with what is between them, are shorter. */
const maxUserNameBytes = 256;

/** Not shown as it is typed: whoever sees it could be faster. */
const question = { prompt: "One-time code: ", echo: false };

/** What helps a person whose client has another key, and tells nobody whose key is known. */
const sentences: Partial<Record<Refusal, string>> = {
  "security-key":
    "oneloop: Keys of security keys (sk-…) cannot be used here. Add another: loop keys add",
  "wrong-code":
    "oneloop: This code is wrong, was used, or is older than 5 minutes. Another: loop keys code",
  "sha1-signature":
    "oneloop: This ssh signs with SHA-1 only (ssh-rsa). Use an Ed25519 key, or an ssh that has " +
    "rsa-sha2-256 (OpenSSH 7.2 and later).",
};

export interface AuthenticationHandlers {
  readonly onIdentity: (identity: Identity) => void;
  readonly onRefusal: (reason: Refusal) => void;
  /** Somebody has to type something now. */
  readonly onAsked: () => void;
  /** For what should not happen, such as a database that is away. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Authenticates one connection by public key, or by a one-time code where that is turned on. Whoever
 * fails learns nothing: an unknown key, a wrong signature and another method get the same refusal,
 * and so do all codes that are not good; which workspace is meant is looked at only afterwards. What
 * a key's kind alone decides is said in a sentence.
 */
export function authenticateConnection(
  client: Connection,
  { userOfKey, spendCode }: SignInWays,
  handlers: AuthenticationHandlers,
): void {
  const methods: AuthenticationType[] =
    spendCode === undefined ? ["publickey"] : ["publickey", "keyboard-interactive"];
  let refused = 0;
  const told = new Set<string>();
  /** False where it was the last try. */
  const count = (reason: Refusal): boolean => {
    handlers.onRefusal(reason);
    const sentence = sentences[reason];
    if (sentence !== undefined && !told.has(sentence)) {
      told.add(sentence);
      sendBanner(client, sentence);
    }
    refused += 1;
    if (refused < maxTries) return true;
    handlers.onRefusal("too-many-attempts");
    client.end();
    return false;
  };
  const refuse = (context: AuthContext, reason: Refusal): void => {
    if (count(reason)) context.reject(methods);
  };
  const decideByCode = async (
    context: KeyboardAuthContext,
    spend: NonNullable<typeof spendCode>,
  ): Promise<void> => {
    // Another request takes its place, also while it is being decided (RFC 4252 section 5.1).
    let abandoned = false;
    context.on("abort", () => {
      abandoned = true;
      // At once: a client that waits for no answer could have any number of codes looked up.
      count("abandoned-code");
    });
    handlers.onAsked();
    const typed = await answerOf(context);
    const by = typed === null ? null : await spend(typed);
    if (abandoned) return;
    if (by === null) return refuse(context, "wrong-code");
    handlers.onIdentity({ ...by, login: context.username });
    context.accept();
  };
  const decide = async (context: AuthContext): Promise<void> => {
    // Sent before it heard that its last try was refused.
    if (refused >= maxTries) return;
    if (Buffer.byteLength(context.username) > maxUserNameBytes) {
      handlers.onRefusal("long-user-name");
      client.end();
      return;
    }
    // RFC 4252 section 5.2: it only asks which methods there are.
    if (context.method === "none") return context.reject(methods);
    if (context.method === "keyboard-interactive" && spendCode !== undefined) {
      return decideByCode(context, spendCode);
    }
    if (context.method !== "publickey") return refuse(context, methodRefusal(context));
    const unfit = keyRefusal(context);
    if (unfit !== null) return refuse(context, unfit);
    const { algo, data } = context.key;
    const owner = await userOfKey({ algorithm: algo, blob: Buffer.from(data) });
    if (owner === null) return refuse(context, "unknown-key");
    if (context.signature === undefined) {
      context.accept();
      return;
    }
    if (!isSigned(context)) return refuse(context, "bad-signature");
    const { userId, keyId } = owner;
    handlers.onIdentity({ userId, credentialId: keyId, login: context.username });
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

/** What somebody types; null where they answer with anything but one line, or not at all. */
function answerOf(context: KeyboardAuthContext): Promise<string | null> {
  return new Promise((resolve) => {
    context.prompt([question], "", "`loop keys code` prints one.", (...[given]: unknown[]) => {
      // Of an abandoned request ssh2 gives an error instead (its types say otherwise).
      const answers: unknown[] = Array.isArray(given) ? given : [];
      resolve(answers.length === 1 ? String(answers[0]) : null);
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
