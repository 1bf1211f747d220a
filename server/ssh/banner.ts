import type { Connection } from "ssh2";

/** What ssh2 1.17 has inside a server's connection, as far as it is used here. */
interface Insides {
  readonly _protocol: {
    readonly _packetRW: {
      readonly write: {
        readonly allocStart: number;
        alloc(payloadBytes: number): Buffer;
        finalize(packet: Buffer): Buffer;
      };
    };
    readonly _cipher: { encrypt(packet: Buffer): void };
  };
}

/** SSH_MSG_USERAUTH_BANNER (RFC 4252 section 5.4). */
const userauthBanner = 53;

/**
 * Shows somebody who is signing in a line of text, as OpenSSH's client prints it on standard error.
 * To be called while a request to sign in is being answered: ssh2 itself has one banner for all,
 * before anybody has asked for anything.
 */
export function sendBanner(client: Connection, line: string): void {
  const { _packetRW, _cipher } = (client as unknown as Insides)._protocol;
  const text = Buffer.from(`${line}\r\n`);
  const packet = _packetRW.write.alloc(1 + 4 + text.length + 4);
  let at = _packetRW.write.allocStart;
  packet[at] = userauthBanner;
  at = packet.writeUInt32BE(text.length, at + 1);
  at += text.copy(packet, at);
  // No language.
  packet.writeUInt32BE(0, at);
  _cipher.encrypt(_packetRW.write.finalize(packet));
}
