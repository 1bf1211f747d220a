import type { Algorithms, Connection } from "ssh2";

/**
 * All that is negotiated: what ssh2 and every OpenSSH since 7.2 have, the quickest first; no SHA-1,
 * no CBC; compression for who is signed in and wants it (`Compression`). ssh2 adds strict
 * key exchange by itself. It has no post-quantum key exchange; once it has, it goes first here.
 */
export const algorithms = {
  kex: [
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group14-sha256",
  ],
  serverHostKey: ["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"],
  cipher: [
    "aes128-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
  ],
  hmac: [
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
  ],
  compress: ["none", "zlib@openssh.com"],
} satisfies Algorithms;

/** What a person's key may sign with (RFC 8308 section 3.1). */
const userSignatures = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
];

interface NameList {
  readonly array: readonly string[];
}

interface OneWay {
  readonly cipher: NameList;
  readonly mac: NameList;
  readonly compress: NameList;
  readonly lang: NameList;
}

interface Offer {
  readonly lists: {
    readonly kex: NameList;
    readonly serverHostKey: NameList;
    readonly cs: OneWay;
    readonly sc: OneWay;
  };
}

/** What ssh2 1.17 has inside a server's connection, as far as it is used here. */
interface Protocol {
  _offer: Offer;
  _onHandshakeComplete: (...negotiated: unknown[]) => void;
  readonly _kex: { remoteExtInfoEnabled: boolean };
  readonly _cipher: { encrypt(packet: Buffer): void };
  readonly _packetRW: {
    readonly write: {
      readonly allocStart: number;
      alloc(payloadBytes: number): Buffer;
      finalize(packet: Buffer): Buffer;
    };
  };
}

/**
 * Mends what ssh2 1.17 offers, before its first packet: to be called in the server's `connection`
 * event.
 *
 * - With an RSA key among the host keys it adds `ssh-rsa`, a SHA-1 signature, unasked.
 * - Of signatures by people's keys it names `ssh-rsa` and `ssh-dss`, and, by a missing comma,
 *   `ecdsa-sha2-nistp521rsa-sha2-512`: a client that signs with SHA-512 only was kept out.
 */
export function mendNegotiation(client: Connection): void {
  const protocol = (client as unknown as { readonly _protocol: Protocol })._protocol;
  protocol._offer = withoutSha1(protocol._offer);
  const complete = protocol._onHandshakeComplete;
  protocol._onHandshakeComplete = (...negotiated) => {
    protocol._onHandshakeComplete = complete;
    const kex = protocol._kex;
    if (kex.remoteExtInfoEnabled) {
      kex.remoteExtInfoEnabled = false;
      sendSignatureAlgorithms(protocol);
    }
    complete(...negotiated);
  };
}

const mended = new WeakMap<Offer, Offer>();

/** One for each server, as ssh2's own. */
function withoutSha1(offer: Offer): Offer {
  const known = mended.get(offer);
  if (known !== undefined) return known;
  const { kex, serverHostKey, cs, sc } = offer.lists;
  const names = ({ cipher, mac, compress, lang }: OneWay) => ({
    cipher: cipher.array,
    mac: mac.array,
    compress: compress.array,
    lang: lang.array,
  });
  const KexInit = offer.constructor as new (lists: object) => Offer;
  const without = new KexInit({
    kex: kex.array,
    serverHostKey: serverHostKey.array.filter((name) => name !== "ssh-rsa"),
    cs: names(cs),
    sc: names(sc),
  });
  mended.set(offer, without);
  return without;
}

/** SSH_MSG_EXT_INFO (RFC 8308 section 2.3), the first packet under the new keys. */
const extInfo = 7;

function sendSignatureAlgorithms({ _packetRW: { write }, _cipher }: Protocol): void {
  const texts = ["server-sig-algs", userSignatures.join(",")].map((text) => Buffer.from(text));
  const packet = write.alloc(texts.reduce((bytes, text) => bytes + 4 + text.length, 1 + 4));
  let at = write.allocStart;
  packet[at] = extInfo;
  at = packet.writeUInt32BE(1, at + 1);
  for (const text of texts) {
    at = packet.writeUInt32BE(text.length, at);
    at += text.copy(packet, at);
  }
  _cipher.encrypt(write.finalize(packet));
}
