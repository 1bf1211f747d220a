import { createPublicKey } from "node:crypto";

/** NIST SP 800-131A: shorter ones are not for signatures any more. OpenSSH's own limit is 1024. */
const minRsaBits = 2048;

/**
 * Whether OpenSSL can verify with this key, and its size is worth it. A key that it cannot load
 * proves nothing, and what a library answers for it is not always no.
 *
 * @param pem SubjectPublicKeyInfo, as text.
 */
export function isSoundPublicKey(pem: string): boolean {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPublicKey(pem);
    return asymmetricKeyType !== "rsa" || (asymmetricKeyDetails?.modulusLength ?? 0) >= minRsaBits;
  } catch {
    return false;
  }
}
