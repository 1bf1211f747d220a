import { randomBytes, randomInt } from "node:crypto";

/** Randomness, injected: tests make it repeatable. */
export interface Ids {
  /** 20 characters of [a-z2-7]: 100 random bits, fit for names of engine objects. */
  id(): string;
  /** Three letters for the end of a workspace's name. */
  letters(): string;
  /** A secret for a token or a link: 32 random bytes, base64url. */
  secret(): string;
}

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
/** No vowels: three random letters then spell no word. */
const consonants = "bcdfghjkmnpqrstvwxz";

export const randomIds: Ids = {
  id: () => Array.from(randomBytes(20), (byte) => alphabet[byte & 31]).join(""),
  letters: () => Array.from({ length: 3 }, () => consonants[randomInt(consonants.length)]).join(""),
  secret: () => randomBytes(32).toString("base64url"),
};
