import { readFile } from "node:fs/promises";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as TlsAgent, request as httpsRequest } from "node:https";
import { join } from "node:path";
import { OneloopError } from "../../protocol/errors.ts";
import { deadline } from "../../util/deadline.ts";

/** An engine that is only looked at. */
export interface LookedAt {
  /** `unix:///path` or `tcp://host:port`. */
  readonly dockerHost: string;
  /** For TLS: a folder of this machine with `ca.pem`, `cert.pem` and `key.pem`; null: none. */
  readonly certificates: string | null;
}

/** A busy engine lists a thousand containers in one; who waits for more thinks that nothing works. */
const answerMs = 4000;
/** Of one answer; what an engine says of a container has some 10 KB. */
const maxAnswerBytes = 16 * 1024 * 1024;
/** Of all answers to one question of ours: thousands of containers. */
const maxTotalBytes = 64 * 1024 * 1024;
/** More do not make an engine quicker. */
const maxConnections = 8;

type Way =
  | { readonly kind: "unix"; readonly socketPath: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/**
 * Parses a DOCKER_HOST.
 *
 * @throws OneloopError `bad-input` for what is none, with the forms that there are
 */
export function parseDockerHost(dockerHost: string): Way {
  const socketPath = /^unix:\/\/(\/[^\0]+)$/.exec(dockerHost)?.[1];
  if (socketPath !== undefined) return { kind: "unix", socketPath };
  const [, host, port] =
    /^tcp:\/\/([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]):(\d{1,5})\/?$/i.exec(dockerHost) ??
    [];
  if (host !== undefined && Number(port) >= 1 && Number(port) <= 65_535) {
    return { kind: "tcp", host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
  }
  const ssh = dockerHost.startsWith("ssh://")
    ? " An engine behind ssh is reached by a socket that ssh forwards: ssh -NL /run/production.sock:/var/run/docker.sock HOST"
    : "";
  throw new OneloopError(
    "bad-input",
    `This is no DOCKER_HOST that can be used here: write unix:///path/to/docker.sock or tcp://host:port.${ssh}`,
  );
}

/**
 * A way to an engine on which nothing but GET can be sent. Each answer is waited for four seconds,
 * and bounded in size. Dispose it when the questions are answered.
 */
export class ReadOnlyEngine implements Disposable {
  readonly #way: Way;
  readonly #agent: Agent | TlsAgent;
  readonly #send: typeof httpRequest;
  #bytes = 0;
  #isClosed = false;

  private constructor(way: Way, tls: Record<"ca" | "cert" | "key", Buffer> | null) {
    this.#way = way;
    const options = { keepAlive: true, maxSockets: maxConnections };
    this.#agent = tls === null ? new Agent(options) : new TlsAgent({ ...options, ...tls });
    this.#send = tls === null ? httpRequest : httpsRequest;
  }

  /** @throws OneloopError `bad-input` where the address is none, or its certificates are not there */
  static async to({ dockerHost, certificates }: LookedAt): Promise<ReadOnlyEngine> {
    const way = parseDockerHost(dockerHost);
    if (certificates === null) return new ReadOnlyEngine(way, null);
    if (way.kind === "unix") {
      throw new OneloopError("bad-input", "A socket of this machine needs no certificates.");
    }
    const file = (name: string): Promise<Buffer> =>
      readFile(join(certificates, name)).catch((error: unknown) => {
        throw new OneloopError(
          "bad-input",
          `${name} cannot be read in the folder of certificates. It has ca.pem, cert.pem and key.pem, as DOCKER_CERT_PATH has.`,
          { cause: error },
        );
      });
    const [ca, cert, key] = await Promise.all([file("ca.pem"), file("cert.pem"), file("key.pem")]);
    return new ReadOnlyEngine(way, { ca, cert, key });
  }

  /**
   * What the engine answers to `GET path`; null where it has no such object.
   *
   * @throws OneloopError `engine-unreachable`, `engine-failed`; none of what it said is in them
   */
  async get(path: string, signal: AbortSignal): Promise<unknown> {
    if (this.#isClosed) throw new OneloopError("cancelled", "Nothing more is asked.");
    using limit = deadline(signal, answerMs);
    const text = await this.#read(path, limit.signal).catch((error: unknown) => {
      if (error instanceof OneloopError) throw error;
      throw limit.signal.aborted
        ? new OneloopError(
            "engine-unreachable",
            `The engine gave no whole answer within ${answerMs / 1000} seconds.`,
          )
        : new OneloopError("engine-unreachable", "The engine cannot be reached.", { cause: error });
    });
    if (text === null) return null;
    try {
      return JSON.parse(text);
    } catch {
      // Its own error would quote what was said.
      throw new OneloopError("engine-failed", "What answers there is no Docker engine: no JSON.");
    }
  }

  async #read(path: string, signal: AbortSignal): Promise<string | null> {
    const response = await this.#head(path, signal);
    const { statusCode } = response;
    if (statusCode === 404) {
      response.resume();
      return null;
    }
    if (statusCode !== 200) {
      response.destroy();
      throw new OneloopError(
        "engine-failed",
        `The engine refused: status ${statusCode} to GET ${path.split("?")[0]}.`,
      );
    }
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length;
      this.#bytes += chunk.length;
      if (length > maxAnswerBytes || this.#bytes > maxTotalBytes) {
        response.destroy();
        throw new OneloopError("engine-failed", "The engine says more than is read of one.");
      }
      chunks.push(chunk);
    }
    // An answer whose end is the connection's ends like a whole one.
    if (signal.aborted || !response.complete) throw new Error("the answer was cut short");
    return Buffer.concat(chunks).toString("utf8");
  }

  #head(path: string, signal: AbortSignal): Promise<IncomingMessage> {
    const way = this.#way;
    const target =
      way.kind === "unix" ? { socketPath: way.socketPath } : { host: way.host, port: way.port };
    return new Promise((resolve, reject) => {
      // An engine takes any host's name; over a socket there is none.
      const headers = { host: way.kind === "unix" ? "docker" : `${way.host}:${way.port}` };
      this.#send({ ...target, path, method: "GET", agent: this.#agent, headers, signal })
        .on("response", resolve)
        .on("error", reject)
        .end();
    });
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#agent.destroy();
  }
}
