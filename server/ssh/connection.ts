import type { Socket } from "node:net";
import type { Connection } from "ssh2";
import { supervisorMount } from "../protocol/supervisor.ts";
import type { Target } from "../terminals/supervisors.ts";
import { AgentForwarding } from "./agent.ts";
import { authenticateConnection, type Identity } from "./authenticate.ts";
import { ConnectionFlow } from "./connection-flow.ts";
import type { ClosedBy, Door } from "./door.ts";
import { forward } from "./forward.ts";
import { holdKexInit } from "./hold-kexinit.ts";
import type { SshGatewayOptions } from "./options.ts";
import { serveSession } from "./session.ts";

/** OpenSSH's LoginGraceTime is 120 s, for a person who types a password; here none does. */
const loginGraceMs = 20_000;

/** Channels of one connection at a time: a browser behind `-L` opens some dozens. */
const maxChannels = 256;

const defaultSftpServer = [`${supervisorMount}/libexec/sftp-server`];

/** One client's TCP connection, from its first byte to its last. A failure ends it, and only it. */
export class SshConnection implements Disposable {
  readonly place: string;
  readonly #socket: Socket;
  readonly #gateway: SshGatewayOptions;
  readonly #closing = new Set<(by: ClosedBy) => void>();
  #identity: Identity | null = null;
  #authenticated = false;
  #channels = 0;
  #closedBy: ClosedBy | null = null;

  /** @param place whose connections are counted together until they are signed in. */
  constructor(socket: Socket, gateway: SshGatewayOptions, place: string) {
    this.place = place;
    this.#socket = socket;
    this.#gateway = gateway;
    const grace = setTimeout(() => {
      if (!this.#authenticated) socket.destroy();
    }, loginGraceMs);
    socket.on("close", () => {
      clearTimeout(grace);
      this.#close("client");
    });
  }

  get identified(): boolean {
    return this.#authenticated;
  }

  /** The client's identification has come; its key exchange packet has not, or only just. */
  begin(client: Connection, identification: string): void {
    const { log } = this.#gateway;
    holdKexInit(this.#socket, identification);
    const fail = (error: unknown): void => {
      log.debug({ err: error }, "an SSH connection failed");
      // At once: ssh2 goes on sending keepalives from a timer, and throws there after a failure.
      this.#socket.destroy();
    };
    client.on("error", fail);
    authenticateConnection(client, this.#gateway.authenticate, {
      onIdentity: (identity) => {
        this.#identity = identity;
      },
      onFailure: fail,
    });
    client.on("ready", () => {
      this.#authenticated = true;
      this.#endWithKey();
      this.#serve(client, fail);
    });
  }

  [Symbol.dispose](): void {
    this.#close("gateway");
    this.#socket.destroy();
  }

  /** As when the client goes away: what runs for it is told to end. */
  #endWithKey(): void {
    if (this.#identity === null) return;
    const { userId, keyId } = this.#identity;
    const by = { userId, credentialId: keyId };
    const registered = this.#gateway.live.register(by, () => this.#socket.destroy());
    this.#socket.on("close", () => registered[Symbol.dispose]());
  }

  #serve(client: Connection, fail: (error: unknown) => void): void {
    const door = this.#door(client);
    const agent = new AgentForwarding(client, door);
    client.on("session", (accept, reject) => {
      if (this.#channels >= maxChannels) {
        reject();
        return;
      }
      this.#channels += 1;
      const session = accept();
      session.on("close", () => (this.#channels -= 1));
      serveSession(session, door, agent);
    });
    client.on("tcpip", (accept, reject, info) => {
      if (this.#channels >= maxChannels) {
        reject();
        return;
      }
      this.#channels += 1;
      forward({ accept, reject }, info, door)
        .catch(fail)
        .finally(() => (this.#channels -= 1));
    });
  }

  #door(client: Connection): Door {
    const { supervisors, log, sftpServer } = this.#gateway;
    const { remoteAddress, remotePort, localAddress, localPort } = this.#socket;
    return {
      flow: new ConnectionFlow(this.#socket, client),
      supervisors,
      sftpServer: sftpServer ?? defaultSftpServer,
      sshConnection: [remoteAddress, remotePort, localAddress, localPort].join(" "),
      log,
      target: () => this.#target(),
      whenClosed: (then) => {
        if (this.#closedBy !== null) then(this.#closedBy);
        else this.#closing.add(then);
        return () => this.#closing.delete(then);
      },
    };
  }

  async #target(): Promise<Target> {
    if (this.#identity === null) throw new Error("the connection is not authenticated");
    const { userId, login } = this.#identity;
    const { owner } = await this.#gateway.resolve(userId, login);
    return { owner, actor: userId };
  }

  #close(by: ClosedBy): void {
    this.#closedBy ??= by;
    for (const then of this.#closing) then(by);
    this.#closing.clear();
  }
}
