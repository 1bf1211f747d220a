/** A `host:port` of ONELOOP_ALLOW_NET, not resolved yet. */
export interface AllowedHost {
  /** A name, an IPv4 address, or a range of them. */
  readonly host: string;
  readonly port: number;
}

/** What of the entries is a host and a port, and the entries that are not. */
export function readAllowNet(entries: readonly string[]): {
  readonly hosts: readonly AllowedHost[];
  readonly wrong: readonly string[];
} {
  const read = entries.map((entry) => ({ entry, host: readEntry(entry) }));
  return {
    hosts: read.flatMap(({ host }) => host ?? []),
    wrong: read.flatMap(({ entry, host }) => (host === null ? [entry] : [])),
  };
}

function readEntry(entry: string): AllowedHost | null {
  const [, host, port] = /^([A-Za-z0-9][A-Za-z0-9._-]*(?:\/\d+)?):(\d{1,5})$/.exec(entry) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) return null;
  const [name = "", length] = host.split("/");
  // Digits and dots alone are meant as an address, and only an address has a length.
  const looksLikeAddress = length !== undefined || /^[\d.]+$/.test(name);
  if (looksLikeAddress && !isAddress(name)) return null;
  if (length !== undefined && Number(length) > 32) return null;
  return { host, port: Number(port) };
}

function isAddress(text: string): boolean {
  return /^\d{1,3}(?:\.\d{1,3}){3}$/.test(text) && text.split(".").every((part) => +part <= 255);
}
