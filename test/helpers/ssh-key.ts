import ssh2 from "ssh2";

/**
 * A private key in OpenSSH's form. One in some hundred that ssh2 1.17 makes of this kind is
 * malformed, which it says itself: then another one is made.
 */
export function makeSshKey(): string {
  for (;;) {
    const { private: key } = ssh2.utils.generateKeyPairSync("ed25519");
    if (!(ssh2.utils.parseKey(key) instanceof Error)) return key;
  }
}
