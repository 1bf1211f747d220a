import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import ssh2 from "ssh2";
import { systemClock } from "../util/clock.ts";
import { SshConnection } from "./connection.ts";
import { algorithms, mendNegotiation } from "./negotiation.ts";
import type { SshGatewayOptions } from "./options.ts";
import type { Refusal } from "./refusal.ts";
import { StreamTransport, type Ends, type Transport } from "./transport.ts";
import { WrongKeys } from "./wrong-keys.ts";

export { ensureHostKeys } from "./host-keys.ts";

export interface SshGateway extends AsyncDisposable {
  readonly port: number;
  /** A connection that came another way, such as over a WebSocket; `ends` are the TCP's below it. */
  serve(stream: Duplex, ends: Ends): void;
}

/** More are closed at once: each costs a key exchange and some memory. */
const maxConnections = 1024;
/** Of these, so many may not be signed in: strangers cannot take all places. */
const maxUnauthenticated = 256;
/** And so many from one place: no stranger alone keeps the others out. */
const maxUnauthenticatedPerPlace = 32;

/** A laptop that wakes up within two minutes finds its sessions; who is gone for good is noticed. */
const usualKeepalive = { everyMs: 30_000, times: 4 };

/**
 * The SSH gateway: who the person is, the key says; which workspace, the user name. Sessions and
 * forwarded connections become streams of the workspace's supervisor. When the gateway ends,
 * programs on a pty go on as terminals; when a client goes away, its programs are told to end.
 */
export async function startSshGateway(options: SshGatewayOptions): Promise<SshGateway> {
  const connections = new Map<string, SshConnection>();
  const wrongKeys = new WrongKeys(options.clock ?? systemClock);
  const { everyMs, times } = options.keepalive ?? usualKeepalive;
  const ssh = new ssh2.Server({
    hostKeys: [...options.hostKeys],
    algorithms,
    ident: "Oneloop",
    keepaliveInterval: everyMs,
    keepaliveCountMax: times,
    ...(options.banner === undefined ? {} : { banner: options.banner }),
  });
  ssh.on("connection", (client, info) => {
    mendNegotiation(client);
    const { ip, port, family } = info;
    const connection = connections.get(addressOf(ip, port, family));
    if (connection === undefined) client.end();
    else connection.begin(client, info.header.identRaw);
  });

  const refusalOf = (place: string): Refusal | null => {
    const strangers = [...connections.values()].filter(({ authenticated }) => !authenticated);
    const near = strangers.filter((stranger) => stranger.place === place);
    if (connections.size >= maxConnections) return "too-many-connections";
    if (strangers.length >= maxUnauthenticated) return "too-many-strangers";
    if (near.length >= maxUnauthenticatedPerPlace) return "too-many-strangers-near";
    return wrongKeys.areTooMany(place) ? "wrong-keys-near" : null;
  };
  const serve = (socket: Transport): void => {
    const place = placeOf(socket.remoteAddress ?? "");
    const refusal = refusalOf(place);
    if (refusal !== null) {
      options.onRefusal?.(refusal);
      socket.destroy();
      return;
    }
    const { remoteAddress, remotePort, remoteFamily } = socket;
    const address = addressOf(remoteAddress, remotePort, remoteFamily);
    const connection = new SshConnection(socket, options, place);
    connections.set(address, connection);
    socket.on("close", () => {
      connections.delete(address);
      if (connection.triedInVain) wrongKeys.failed(place);
    });
    ssh.injectSocket(socket as Socket);
  };
  // ssh2 would listen too, but gives its sockets only after the identification, without noDelay.
  const listener = createServer({ noDelay: true }, serve);
  listener.listen(options.port, options.host);
  await once(listener, "listening");

  return {
    port: (listener.address() as AddressInfo).port,
    serve: (stream, ends) => serve(new StreamTransport(stream, ends)),
    async [Symbol.asyncDispose]() {
      const closed = once(listener, "close");
      listener.close();
      for (const connection of connections.values()) connection[Symbol.dispose]();
      await closed;
    },
  };
}

/**
 * Whose connections are counted together: an IPv4 address, or the first 64 bits of an IPv6 one, of
 * which every subscriber has at least so many addresses (RFC 6177).
 */
export function placeOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !address.includes(":")) return mapped ?? address;
  const [head = "", tail] = address.replace(/%.*$/, "").split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => "0");
  return [...before, ...zeros, ...after].slice(0, 4).join(":");
}

function addressOf(...parts: readonly (string | number | undefined)[]): string {
  return parts.join(" ");
}
