/** A published port as one word: `[[IP:]HOST:]CONTAINER[/PROTOCOL]`, each port perhaps a range. */
export interface PortText {
  /** Empty: every address. */
  readonly ip: string;
  /** Empty: any free port. */
  readonly published: string;
  readonly target: string;
  readonly protocol: string;
}

/** Null: it is none. */
export function splitPort(text: string): PortText | null {
  const match =
    /^(?:(?:(\[[^\]]*\]|[^:[\]]*):)?([0-9-]*):)?([0-9]+(?:-[0-9]+)?)(?:\/([a-zA-Z]+))?$/.exec(text);
  if (match === null) return null;
  const [, ip = "", published = "", target = "", protocol = "tcp"] = match;
  return { ip: ip.replace(/^\[|\]$/g, ""), published, target, protocol: protocol.toLowerCase() };
}

/** The first and last port of `80` or `8000-8010`; null where it is no range of ports. */
export function portRange(text: string): { first: number; last: number } | null {
  const match = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(text);
  if (match === null) return null;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first >= 1 && last >= first && last <= 65535 ? { first, last } : null;
}
