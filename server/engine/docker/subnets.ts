import { createHash } from "node:crypto";
import { OneloopError } from "../../protocol/errors.ts";
import { toAddress, toNumber } from "./rules.ts";

export interface Subnet {
  readonly subnet: string;
  /** The host's address: the first. */
  readonly gateway: string;
}

/** 13 addresses for sandboxes; the engine's default pools (/16 and /20) end after 31 networks. */
const prefixBits = 28;
const addressesEach = 2 ** (32 - prefixBits);

/**
 * Every /28 of the range once, from one that the seed's hash chooses: a workspace finds its own
 * again, and two workspaces seldom try the same one first.
 *
 * @throws OneloopError `bad-input` for a range smaller than a /28 or not aligned.
 */
export function* subnetCandidates(range: string, seed: string): Generator<Subnet> {
  const [base = "", bitsText = ""] = range.split("/");
  const bits = Number(bitsText);
  const start = toNumber(base);
  if (!(bits >= 8 && bits <= prefixBits) || start % 2 ** (32 - bits) !== 0) {
    throw new OneloopError(
      "bad-input",
      `ONELOOP_SUBNETS: ${range} is not a range of IPv4 addresses from /8 to /28.`,
    );
  }
  const count = 2 ** (prefixBits - bits);
  const first = createHash("sha256").update(seed).digest().readUInt32BE(0) % count;
  for (let index = 0; index < count; index++) {
    const network = start + ((first + index) % count) * addressesEach;
    yield { subnet: `${toAddress(network)}/${prefixBits}`, gateway: toAddress(network + 1) };
  }
}
