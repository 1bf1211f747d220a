import { createHash } from "node:crypto";
import { OneloopError } from "../../protocol/errors.ts";
import { overlaps, type Range } from "../../util/ranges.ts";
import { toAddress, toNumber } from "./rules.ts";

export interface Subnet {
  readonly subnet: string;
  /** The host's address: the first. */
  readonly gateway: string;
}

/**
 * Sizes of a workspace's network, with the number of sandboxes for which each is taken: with room for
 * some that are added later, as a network cannot grow. The engine's default pools (/16 and /20) end
 * after 31 networks. A bridge has at most 1,023 ports (the kernel's BR_MAX_PORTS).
 */
const sizes = [
  { prefixBits: 28, pods: 12 },
  { prefixBits: 26, pods: 50 },
  { prefixBits: 24, pods: 230 },
  { prefixBits: 22, pods: 1000 },
] as const;

const smallestBits = 28;

/** The network's own address, the broadcast's and the host's. */
const reservedAddresses = 3;

/** @throws OneloopError `plan-impossible` for more than any network has addresses for. */
export function prefixFor(pods: number): number {
  const fitting = sizes.find((size) => pods <= size.pods);
  if (fitting !== undefined) return fitting.prefixBits;
  throw new OneloopError(
    "plan-impossible",
    `${pods} services with a network of their own are more than one workspace can have.`,
  );
}

/** For how many there is room in a network that is made for so many. */
export function roomIn(pods: number): number {
  return sizes.find((size) => pods <= size.pods)?.pods ?? pods;
}

/** Whether a network, such as `10.213.0.16/28`, has addresses for so many sandboxes. */
export function hasRoom(subnet: string, pods: number): boolean {
  const bits = Number(subnet.split("/")[1]);
  return 2 ** (32 - bits) - reservedAddresses >= pods;
}

interface Candidates {
  readonly prefixBits?: number;
  /** What none of them may overlap. */
  readonly taken?: readonly Range[];
}

/**
 * Every network of that size in the range once that overlaps nothing taken, from one that the seed's
 * hash chooses: a workspace finds its own again, and two workspaces seldom try the same one first.
 *
 * @throws OneloopError `bad-input` for a range smaller than a /28 or not aligned.
 */
export function* subnetCandidates(
  range: string,
  seed: string,
  { prefixBits = smallestBits, taken = [] }: Candidates = {},
): Generator<Subnet> {
  const [base = "", bitsText = ""] = range.split("/");
  const bits = Number(bitsText);
  const start = toNumber(base);
  if (!(bits >= 8 && bits <= smallestBits) || start % 2 ** (32 - bits) !== 0) {
    throw new OneloopError(
      "bad-input",
      `ONELOOP_SUBNETS: ${range} is not a range of IPv4 addresses from /8 to /28.`,
    );
  }
  const size = 2 ** (32 - prefixBits);
  // None in a range that is smaller itself.
  const count = Math.floor(2 ** (prefixBits - bits));
  const first = createHash("sha256").update(seed).digest().readUInt32BE(0) % count;
  for (let index = 0; index < count; index++) {
    const network = start + ((first + index) % count) * size;
    if (taken.some((other) => overlaps(other, { first: network, size }))) continue;
    yield { subnet: `${toAddress(network)}/${prefixBits}`, gateway: toAddress(network + 1) };
  }
}
