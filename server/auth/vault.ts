import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { OneloopError } from "../protocol/errors.ts";

const algorithm = "aes-256-gcm";
/** NIST SP 800-38D: 96 bits, random for each seal; a tag of 128 bits. */
const ivBytes = 12;
const tagBytes = 16;

/**
 * Seals what people store (credentials, variables) with a key that derives from ONELOOP_SECRET_KEY.
 * A sealed value opens only under the context it was sealed for: moved to another row it does not.
 */
export class Vault {
  readonly #key: Buffer;

  constructor(secretKey: string) {
    this.#key = Buffer.from(hkdfSync("sha256", secretKey, "", "oneloop stored secrets v1", 32));
  }

  /** @param context whose and what, such as `credential:<user>:<host>`. */
  seal(text: string, context: string): Buffer {
    const iv = randomBytes(ivBytes);
    const cipher = createCipheriv(algorithm, this.#key, iv, { authTagLength: tagBytes });
    cipher.setAAD(Buffer.from(context));
    const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), sealed]);
  }

  /** @throws OneloopError `internal` when it was sealed with another key or for another context. */
  open(sealed: Buffer, context: string): string {
    try {
      const iv = sealed.subarray(0, ivBytes);
      const decipher = createDecipheriv(algorithm, this.#key, iv, { authTagLength: tagBytes });
      decipher.setAAD(Buffer.from(context));
      decipher.setAuthTag(sealed.subarray(ivBytes, ivBytes + tagBytes));
      const text = decipher.update(sealed.subarray(ivBytes + tagBytes));
      return Buffer.concat([text, decipher.final()]).toString("utf8");
    } catch (error) {
      throw new OneloopError(
        "internal",
        "A stored secret cannot be opened: it was stored under another ONELOOP_SECRET_KEY. Store it again, or bring the old key back.",
        { cause: error },
      );
    }
  }
}
