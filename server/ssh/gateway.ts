import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import ssh2 from "ssh2";
import { SshConnection } from "./connection.ts";
import type { SshGatewayOptions } from "./options.ts";

export { ensureHostKeys } from "./host-keys.ts";

export interface SshGateway extends AsyncDisposable {
  readonly port: number;
}

/** More are closed at once: each costs a key exchange and some memory. */
const maxConnections = 1024;
/** Of these, so many may not be signed in: strangers cannot take all places. */
const maxUnauthenticated = 256;
/** And so many from one place: no stranger alone keeps the others out. */
const maxUnauthenticatedPerPlace = 32;

/**
 * Only what ssh2 and every OpenSSH since 7.2 have, the quickest first; no SHA-1, no CBC, no
 * compression (it would let a client make us keep more than it sends). ssh2 adds strict key exchange
 * by itself.
 */
const algorithms: ssh2.Algorithms = {
  kex: [
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group14-sha256",
  ],
  serverHostKey: ["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256"],
  cipher: [
    "aes128-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
  ],
  hmac: [
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
  ],
  compress: ["none"],
};

/**
 * The SSH gateway: who the person is, the key says; which workspace, the user name. Sessions and
 * forwarded connections become streams of the workspace's supervisor. When the gateway ends,
 * programs on a pty go on as terminals; when a client goes away, its programs are told to end.
 */
export async function startSshGateway(options: SshGatewayOptions): Promise<SshGateway> {
  const connections = new Map<string, SshConnection>();
  const ssh = new ssh2.Server({ hostKeys: [...options.hostKeys], algorithms, ident: "Oneloop" });
  ssh.on("connection", (client, info) => {
    const connection = connections.get(addressOf(info.ip, info.port));
    if (connection === undefined) client.end();
    else connection.begin(client, info.header.identRaw);
  });

  // ssh2 would listen too, but gives its sockets only after the identification, without noDelay.
  const listener = createServer({ noDelay: true }, (socket) => {
    const place = placeOf(socket.remoteAddress ?? "");
    const strangers = [...connections.values()].filter(({ identified }) => !identified);
    const near = strangers.filter((stranger) => stranger.place === place);
    if (strangers.length >= maxUnauthenticated || near.length >= maxUnauthenticatedPerPlace) {
      socket.destroy();
      return;
    }
    const address = addressOf(socket.remoteAddress, socket.remotePort);
    connections.set(address, new SshConnection(socket, options, place));
    socket.on("close", () => connections.delete(address));
    ssh.injectSocket(socket);
  });
  listener.maxConnections = maxConnections;
  listener.listen(options.port, options.host);
  await once(listener, "listening");

  return {
    port: (listener.address() as AddressInfo).port,
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

function addressOf(host: string | undefined, port: number | undefined): string {
  return `${host} ${port}`;
}
