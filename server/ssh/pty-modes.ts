import { createRequire } from "node:module";

/** Terminal modes as a client sent them, by their names in RFC 4254 section 8. */
export type PtyModes = Readonly<Record<string, number>>;

/** From a number on, one after the other. */
const rows = [
  "1 VINTR VQUIT VERASE VKILL VEOF VEOL VEOL2 VSTART VSTOP VSUSP VDSUSP VREPRINT VWERASE VLNEXT",
  "15 VFLUSH VSWTCH VSTATUS VDISCARD",
  "30 IGNPAR PARMRK INPCK ISTRIP INLCR IGNCR ICRNL IUCLC IXON IXANY IXOFF IMAXBEL",
  // RFC 8160.
  "42 IUTF8",
  "50 ISIG ICANON XCASE ECHO ECHOE ECHOK ECHONL NOFLSH TOSTOP IEXTEN ECHOCTL ECHOKE PENDIN",
  "70 OPOST OLCUC ONLCR OCRNL ONOCR ONLRET",
  "90 CS7 CS8 PARENB PARODD",
];
const names = new Map(
  rows.flatMap((row) => {
    const [first, ...modes] = row.split(" ");
    return modes.map((mode, index) => [Number(first) + index, mode] as const);
  }),
);

const endOfModes = 0;
/** "Opcodes 160 to 255 are not yet defined, and cause parsing to stop." */
const firstUndefined = 160;

/** What is not complete, and what follows it, is left out. */
export function readModes(encoded: Uint8Array): PtyModes {
  const bytes = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  const modes: Record<string, number> = {};
  for (let at = 0; at + 5 <= bytes.byteLength; at += 5) {
    const opcode = bytes.getUint8(at);
    if (opcode === endOfModes || opcode >= firstUndefined) break;
    const name = names.get(opcode);
    if (name !== undefined) modes[name] = bytes.getUint32(at + 1);
  }
  return modes;
}

type Handler = (protocol: unknown, payload: Buffer) => unknown;

/** SSH_MSG_CHANNEL_REQUEST (RFC 4250 section 4.1.2). */
const channelRequest = 98;

let arriving: PtyModes = {};

/** In an event of ssh2's `pty`: the modes of this request. */
export function arrivingModes(): PtyModes {
  return arriving;
}

/**
 * ssh2 1.17 reads a request's modes from their second byte on (handlers.misc.js, `pty-req`), which
 * gives none, and would end a connection that names a mode that it does not know (IUTF8 is one). So
 * its handler, which stands in a table by the message's number, gets the request without modes, and
 * they are read here. The event comes while the handler runs.
 */
function readModesAhead(): void {
  const handlers = createRequire(import.meta.url)("ssh2/lib/protocol/handlers.js") as Handler[];
  const handle = handlers[channelRequest];
  if (handle === undefined) throw new Error("ssh2 is not as it was: it takes no channel requests");
  handlers[channelRequest] = (protocol, payload) => {
    const start = startOfModes(payload);
    if (start === null) return handle(protocol, payload);
    arriving = readModes(payload.subarray(start, start + payload.readUInt32BE(start - 4)));
    try {
      return handle(protocol, Buffer.concat([payload.subarray(0, start - 4), Buffer.alloc(4)]));
    } finally {
      arriving = {};
    }
  };
}
readModesAhead();

/** Where the modes of a `pty-req` begin; `null` for another request, and for a broken one. */
function startOfModes(payload: Buffer): number | null {
  // The message's number and the recipient's.
  const [type, end] = readString(payload, 1 + 4);
  if (type?.toString("latin1") !== "pty-req") return null;
  // Whether a reply is wanted; the terminal's type; its size in characters and pixels.
  const [, endOfTerm] = readString(payload, end + 1);
  const [modes, endOfAll] = readString(payload, endOfTerm + 4 * 4);
  return modes === null ? null : endOfAll - modes.length;
}

/** A string of RFC 4251 section 5, and where it ends; `null` where there is none. */
function readString(payload: Buffer, at: number): [text: Buffer | null, end: number] {
  if (at + 4 > payload.length) return [null, payload.length];
  const end = at + 4 + payload.readUInt32BE(at);
  return end > payload.length ? [null, payload.length] : [payload.subarray(at + 4, end), end];
}
