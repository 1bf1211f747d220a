import { randomBytes, randomInt } from "node:crypto";

/** Randomness, injected: tests make it repeatable. */
export interface Ids {
  /** 20 characters of [a-z2-7]: 100 random bits, fit for names of engine objects. */
  id(): string;
  /** Three letters for the end of a workspace's name. */
  letters(): string;
  /** A secret that people type: 16 letters, 67 random bits. No digits: no letter looks like one. */
  typed(): string;
  /** A secret for a token or a link: 32 random bytes, base64url. */
  secret(): string;
}

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
/** No vowels: random letters then spell no word. */
export const consonants = "bcdfghjkmnpqrstvwxz";

function consonantsOf(length: number): string {
  return Array.from({ length }, () => consonants[randomInt(consonants.length)]).join("");
}

export const randomIds: Ids = {
  id: () => Array.from(randomBytes(20), (byte) => alphabet[byte & 31]).join(""),
  letters: () => consonantsOf(3),
  typed: () => consonantsOf(16),
  secret: () => randomBytes(32).toString("base64url"),
};
