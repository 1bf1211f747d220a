/** A range of IPv4 addresses. */
export interface Range {
  /** As a number of 32 bits. */
  readonly first: number;
  /** Of addresses. */
  readonly size: number;
}

/** The range that `10.213.0.5/16` is in; null for what is no IPv4 range. */
export function parseRange(text: string): Range | null {
  const [, address = "", length = ""] = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(text) ?? [];
  const bytes = address.split(".").map(Number);
  const bits = Number(length);
  if (bytes.length !== 4 || bytes.some((byte) => byte > 255) || bits > 32) return null;
  const size = 2 ** (32 - bits);
  const number = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  return { first: number - (number % size), size };
}

export function overlaps(a: Range, b: Range): boolean {
  return a.first < b.first + b.size && b.first < a.first + a.size;
}
