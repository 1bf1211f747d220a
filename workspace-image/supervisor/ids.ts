import { readFileSync } from "node:fs";

/**
 * 122 random bits from the kernel, as a UUID. (node:crypto has the same, and takes a sixth of the
 * start to load.)
 */
export function randomId(): string {
  return readFileSync("/proc/sys/kernel/random/uuid", "latin1").trim();
}
