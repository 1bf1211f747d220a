import type { Connection } from "ssh2";
import { supervisorMount } from "../protocol/supervisor.ts";
import type { Target } from "../terminals/supervisors.ts";
import { AgentForwarding } from "./agent.ts";
import { authenticateConnection, type Identity } from "./authenticate.ts";
import { Compression } from "./compression.ts";
import { ConnectionFlow } from "./connection-flow.ts";
import type { ClosedBy, Door } from "./door.ts";
import { forward, forwardToSocket } from "./forward.ts";
import { holdKexInit } from "./hold-kexinit.ts";
import type { SshGatewayOptions } from "./options.ts";
import { limitPackets } from "./packet-limits.ts";
import { PacketMemory } from "./packet-memory.ts";
import type { Refusal } from "./refusal.ts";
import { RememberedPlace } from "./remembered-place.ts";
import { serveRemoteForwards } from "./remote-forward.ts";
import { serveSession } from "./session.ts";
import type { Transport } from "./transport.ts";

/** For a key, of which the client needs no person. */
const loginGraceMs = 20_000;
/** As OpenSSH's LoginGraceTime: a person gets a code and types it. */
const codeGraceMs = 120_000;

/** Channels of one connection at a time: a browser behind `-L` opens some dozens. */
const maxChannels = 256;

const defaultSftpServer = [`${supervisorMount}/libexec/sftp-server`];

/** ssh2's end of it, what its packets are made with, and where it leads to. */
interface Served {
  readonly client: Connection;
  readonly packets: PacketMemory;
  readonly compression: Compression;
  readonly place: RememberedPlace;
}

/** One client's TCP connection, from its first byte to its last. A failure ends it, and only it. */
export class SshConnection implements Disposable {
  readonly place: string;
  readonly #socket: Transport;
  readonly #gateway: SshGatewayOptions;
  readonly #closing = new Set<(by: ClosedBy) => void>();
  readonly #gone = new AbortController();
  #identity: Identity | null = null;
  #authenticated = false;
  #identified = false;
  #wrongKeys = 0;
  #grace: NodeJS.Timeout;
  #asked = false;
  #channels = 0;
  #closedBy: ClosedBy | null = null;

  /** @param place whose connections are counted together until they are signed in. */
  constructor(socket: Transport, gateway: SshGatewayOptions, place: string) {
    this.place = place;
    this.#socket = socket;
    this.#gateway = gateway;
    this.#grace = this.#endAfter(gateway.loginGraceMs ?? loginGraceMs);
    socket.on("close", () => {
      clearTimeout(this.#grace);
      this.#close("client");
    });
  }

  get authenticated(): boolean {
    return this.#authenticated;
  }

  /** Keys or codes were offered, and none of them was anybody's here. */
  get triedInVain(): boolean {
    return !this.#authenticated && this.#wrongKeys > 0;
  }

  /** The client's identification has come; its key exchange packet has not, or only just. */
  begin(client: Connection, identification: string): void {
    const { log } = this.#gateway;
    holdKexInit(this.#socket, identification);
    const compression = new Compression(client, this.#socket);
    const packets = new PacketMemory(client, this.#socket);
    client.on("handshake", () => {
      this.#identified = true;
      packets.share();
    });
    const fail = (error: unknown): void => {
      log.debug({ err: error }, "an SSH connection failed");
      // At once: ssh2 goes on sending keepalives from a timer, and throws there after a failure.
      if (this.#authenticated) this.#socket.destroy();
      else this.#endAfterLastWords();
    };
    client.on("error", (error: Error & { level?: string }) => {
      // Of those that ssh2 marks so, the client said nothing wrong.
      if (error.level !== "socket" && error.level !== "client-timeout") {
        this.#refuse("protocol-error");
      }
      fail(error);
    });
    const { authenticate: userOfKey, spendCode } = this.#gateway;
    authenticateConnection(
      client,
      { userOfKey, spendCode },
      {
        onIdentity: (identity) => {
          this.#identity = identity;
        },
        onRefusal: (reason) => {
          this.#wrongKeys += 1;
          this.#refuse(reason);
        },
        onAsked: () => this.#giveTimeToType(),
        onFailure: fail,
      },
    );
    limitPackets(client, () => {
      this.#refuse("tiny-packets");
      this.#socket.destroy();
    });
    client.on("ready", () => {
      // It left while the database was asked: nothing would end what begins here.
      if (this.#closedBy !== null) return;
      this.#authenticated = true;
      this.#endWithSignIn();
      const place = new RememberedPlace(this.#gateway.changes);
      this.#socket.on("close", () => place[Symbol.dispose]());
      this.#serve({ client, packets, compression, place }, fail);
    });
  }

  [Symbol.dispose](): void {
    this.#close("gateway");
    this.#socket.destroy();
  }

  #endAfter(graceMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      if (this.#authenticated) return;
      this.#refuse(this.#identified ? "login-too-slow" : "handshake-too-slow");
      this.#socket.destroy();
    }, graceMs);
  }

  /** Once: who asks again and again is not waited for any longer. */
  #giveTimeToType(): void {
    if (this.#asked) return;
    this.#asked = true;
    clearTimeout(this.#grace);
    this.#grace = this.#endAfter(this.#gateway.codeGraceMs ?? codeGraceMs);
  }

  /** What we offer, say: a client with which we have nothing in common tells its user so. */
  #endAfterLastWords(): void {
    const socket = this.#socket;
    while (socket.writableCorked > 0) socket.uncork();
    socket.end(() => socket.destroy());
  }

  /** As when the client goes away: what runs for it is told to end. */
  #endWithSignIn(): void {
    if (this.#identity === null) return;
    const registered = this.#gateway.live.register(this.#identity, () => this.#socket.destroy());
    this.#socket.on("close", () => registered[Symbol.dispose]());
  }

  #serve(served: Served, fail: (error: unknown) => void): void {
    const { client } = served;
    const door = this.#door(served);
    const agent = new AgentForwarding(client, door);
    client.on("session", (accept, reject) => {
      if (this.#channels >= maxChannels) {
        this.#refuse("too-many-channels");
        reject();
        return;
      }
      this.#channels += 1;
      const session = accept();
      session.on("close", () => (this.#channels -= 1));
      serveSession(session, door, agent);
    });
    const serveForward = (reject: () => void, served: () => Promise<void>): void => {
      if (this.#channels >= maxChannels) {
        this.#refuse("too-many-channels");
        reject();
        return;
      }
      this.#channels += 1;
      served()
        .catch(fail)
        .finally(() => (this.#channels -= 1));
    };
    client.on("tcpip", (accept, reject, info) =>
      serveForward(reject, () => forward({ accept, reject }, info, door)),
    );
    client.on("openssh.streamlocal", (accept, reject, info) =>
      serveForward(reject, () => forwardToSocket({ accept, reject }, info, door)),
    );
    serveRemoteForwards(client, door, () => this.#refuse("too-many-forwards"));
  }

  #door({ client, packets, compression, place }: Served): Door {
    const { supervisors, log, sftpServer, describe, terminals, rekey } = this.#gateway;
    const { remoteAddress, remotePort, localAddress, localPort } = this.#socket;
    return {
      flow: new ConnectionFlow(this.#socket, client, {
        packets,
        compression,
        refused: (reason) => this.#refuse(reason),
        rekey,
      }),
      supervisors,
      sftpServer: sftpServer ?? defaultSftpServer,
      sshConnection: [remoteAddress, remotePort, localAddress, localPort].join(" "),
      log,
      target: (onWait) => this.#target(place, onWait),
      forgetTarget: () => place.forget(),
      describe: describe ?? (async () => null),
      terminals: terminals ?? (async () => []),
      whenClosed: (then) => {
        if (this.#closedBy !== null) then(this.#closedBy);
        else this.#closing.add(then);
        return () => this.#closing.delete(then);
      },
    };
  }

  async #target(
    place: RememberedPlace,
    onWait: (sentence: string) => void = () => undefined,
  ): Promise<Target> {
    if (this.#identity === null) throw new Error("the connection is not authenticated");
    const { userId, login } = this.#identity;
    const { signal } = this.#gone;
    const { owner, service } = await place.get(() =>
      this.#gateway.resolve(userId, login, { onWait, signal }),
    );
    return { owner, service, actor: userId };
  }

  #refuse(reason: Refusal): void {
    this.#gateway.onRefusal?.(reason);
  }

  #close(by: ClosedBy): void {
    this.#closedBy ??= by;
    this.#gone.abort();
    for (const then of this.#closing) then(by);
    this.#closing.clear();
  }
}
