import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { databaseFailure } from "../db/database.ts";
import { formatPortHost, parsePortHost, type PortHost } from "../ports/hostname.ts";
import { OneloopError } from "../protocol/errors.ts";
import type { Supervisors } from "../terminals/supervisors.ts";
import type { Clock } from "../util/clock.ts";
import type { Ids } from "../util/ids.ts";
import type { Log } from "../util/log.ts";
import { Access, type Authorize, type PortSession } from "./access.ts";
import { forwardRequest } from "./forward.ts";
import { cookieValues, pairs, requestHeaders } from "./headers.ts";
import { OpenExchanges, type Changes, type Live } from "./open-exchanges.ts";
import { noticePage, noticeText, type Notice } from "./pages.ts";
import { localPath, portCookie, PortSignIn, portSignInPath } from "./sign-in.ts";
import { type Destination, Upstreams } from "./upstreams.ts";
import { forwardUpgrade } from "./websocket.ts";

export interface PortProxyOptions {
  readonly domain: string;
  /** The app's URL as browsers see it, such as `http://app.localhost:7700`. */
  readonly publicUrl: string;
  readonly authorize: Authorize;
  readonly live: Live;
  readonly changes: Changes;
  readonly supervisors: Pick<Supervisors, "dial">;
  readonly secretKey: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
}

export interface PortProxy extends AsyncDisposable {
  /** For node:http's `request`. Never throws. */
  handleRequest(request: IncomingMessage, response: ServerResponse): void;
  /** For node:http's `upgrade`. Never throws. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /**
   * For the app's `/port-sign-in`: a code that signs this session's user in on this port host, to be given to
   * `http://<host>/.oneloop/sign-in?code=…&to=<path>`. Good once, for 30 s.
   *
   * @throws OneloopError `bad-input` when `host` is no port host of this domain.
   */
  mintCode(session: PortSession, host: string): string;
}

/** The door to workspaces' ports: every request's head is read, and judged by itself. */
export function createPortProxy(options: PortProxyOptions): PortProxy {
  const door = new Door(options);
  return {
    handleRequest: (request, response) => {
      void door.request(request, response);
    },
    handleUpgrade: (request, socket, head) => {
      void door.upgrade(request, socket, head);
    },
    mintCode: (session, host) => door.mintCode(session, host),
    [Symbol.asyncDispose]: () => door[Symbol.asyncDispose](),
  };
}

/** An answer of ours instead of the workspace's. */
type Refusal = Notice & { readonly headers?: Readonly<Record<string, string>> };

/** A request that may go on. */
interface Admitted {
  readonly host: PortHost;
  readonly session: PortSession | null;
  readonly workspaceId: string | null;
  readonly destination: Destination;
}

class Door implements AsyncDisposable {
  readonly #options: PortProxyOptions;
  readonly #signIn: PortSignIn;
  readonly #access: Access;
  readonly #open: OpenExchanges;
  readonly #upstreams: Upstreams;
  readonly #appUrl: URL;
  readonly #upgraded = new Set<Duplex>();

  constructor(options: PortProxyOptions) {
    this.#options = options;
    this.#signIn = new PortSignIn(options.secretKey, options);
    this.#access = new Access(options.authorize, options.clock);
    this.#open = new OpenExchanges(this.#access, options);
    this.#upstreams = new Upstreams(options.supervisors);
    this.#appUrl = new URL(options.publicUrl);
  }

  mintCode(session: PortSession, host: string): string {
    const parsed = parsePortHost(host, this.#options.domain);
    if (parsed === null) {
      throw new OneloopError("bad-input", "This is not the address of a workspace's port.");
    }
    return this.#signIn.mintCode(session, formatPortHost(parsed, this.#options.domain));
  }

  async request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (refusal: Refusal): void => answer(request, response, refusal);
    let host: PortHost | null = null;
    try {
      const admitted = await this.#admit(request, { webSocket: false });
      if ("refusal" in admitted) return refuse(admitted.refusal);
      host = admitted.host;
      const { destination } = admitted;
      const leave = this.#upstreams.enter(destination);
      if (leave === null) return refuse(tooMany);
      response.on("close", leave);
      response.on("close", this.#open.enter({ ...admitted, close: () => response.destroy() }));
      forwardRequest({
        request,
        response,
        pool: this.#upstreams.pool(destination),
        headers: requestHeaders(request, this.#protocol()),
        onFailure: (error) => refuse(this.#explain(error, admitted.host)),
      });
    } catch (error) {
      refuse(this.#explain(error, host));
    }
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on("error", () => socket.destroy());
    this.#upgraded.add(socket);
    socket.on("close", () => this.#upgraded.delete(socket));
    let host: PortHost | null = null;
    try {
      const admitted = await this.#admit(request, { webSocket: true });
      if ("refusal" in admitted) return answerRaw(socket, admitted.refusal);
      host = admitted.host;
      const leave = this.#upstreams.enter(admitted.destination);
      if (leave === null) return answerRaw(socket, tooMany);
      if (socket.destroyed) return leave();
      socket.on("close", leave);
      socket.on("close", this.#open.enter({ ...admitted, close: () => socket.destroy() }));
      await forwardUpgrade({ request, socket, head }, admitted.destination, {
        supervisors: this.#options.supervisors,
        publicProtocol: this.#protocol(),
      });
    } catch (error) {
      answerRaw(socket, this.#explain(error, host));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#open[Symbol.dispose]();
    for (const socket of this.#upgraded) socket.destroy();
    await this.#upstreams[Symbol.asyncDispose]();
  }

  async #admit(
    request: IncomingMessage,
    { webSocket }: { webSocket: boolean },
  ): Promise<{ refusal: Refusal } | Admitted> {
    const { domain } = this.#options;
    const { headers, url = "" } = request;
    const host = parsePortHost(headers.host ?? "", domain);
    if (host === null) return { refusal: notFound };
    // Whoever stands before us may have looked at the other one (RFC 9112 section 3.2).
    if (hostHeaders(request) !== 1) return { refusal: badRequest };
    // The form for proxies (RFC 9112 section 3.2.2) names a second host, and CONNECT has no path.
    if (!url.startsWith("/")) return { refusal: badRequest };
    if (webSocket && headers.upgrade?.toLowerCase() !== "websocket") return { refusal: badRequest };
    const name = formatPortHost(host, domain);
    const origin = `${this.#appUrl.protocol}//${(headers.host ?? "").toLowerCase()}`;
    if (!webSocket && url.split("?", 1)[0] === portSignInPath) {
      return { refusal: this.#redeem(request, name) };
    }
    const page = askingPage(request, { origin, webSocket });
    if (page === "foreign") return { refusal: foreign };
    const session =
      page === "unknown"
        ? null
        : this.#signIn.session(cookieValues(headers.cookie, portCookie), name);
    const decision = await this.#access.of(session, host);
    switch (decision.kind) {
      case "reach": {
        const { target, workspaceId, signedIn } = decision;
        const destination = { target, host: decision.host, port: host.port };
        return { host, session: signedIn ? session : null, workspaceId, destination };
      }
      case "sign-in": {
        if (page === "unknown") return { refusal: foreign };
        if (webSocket || !isNavigation(request)) return { refusal: notSignedIn };
        const to = new URL("/port-sign-in", this.#appUrl);
        to.searchParams.set("to", `${origin}${url}`);
        return { refusal: redirect(to.href) };
      }
      case "nothing":
        return { refusal: notFound };
      default:
        return decision satisfies never;
    }
  }

  #redeem(request: IncomingMessage, name: string): Refusal {
    if (request.method !== "GET") return badRequest;
    const query = new URLSearchParams((request.url ?? "").slice(portSignInPath.length));
    const cookie = this.#signIn.redeemCode(query.get("code") ?? "", name);
    const path = localPath(query.get("to"));
    if (cookie !== null) return redirect(path, { "Set-Cookie": cookie });
    return {
      status: 400,
      title: "This sign-in link does not work any more",
      text: "It works once, and for half a minute. Open the page again to get a new one.",
      link: { href: path, text: "Open the page" },
    };
  }

  #explain(error: unknown, host: PortHost | null): Refusal {
    const { log, publicUrl } = this.#options;
    log.debug({ err: error, host }, "a request to a workspace's port failed");
    const failure = databaseFailure(error);
    if (failure !== null) {
      log.error({ err: error }, "who may see a port could not be read");
      return { status: 503, title: "Oneloop cannot answer now", text: failure.message };
    }
    const where = host === null ? "" : `port ${host.port} of ${host.service ?? host.workspace}`;
    if (!(error instanceof OneloopError)) {
      return {
        status: 502,
        title: `The program on ${where} did not answer properly`,
        text: "It closed the connection, or what it sent is not HTTP. Its terminal may say why.",
      };
    }
    if (error.code === "workspace-not-running" || error.code === "supervisor-unreachable") {
      return {
        status: 503,
        title: `The workspace ${host?.workspace ?? ""} is not running`,
        text: "Start it, then load this page again.",
        link: { href: publicUrl, text: "Open Oneloop" },
      };
    }
    // The supervisor's own refusal of a dial.
    if (error.code === "conflict" || error.code === "not-found") {
      return {
        status: 502,
        title: `Nothing listens on ${where}`,
        text:
          "Start the program that should, then load this page again. " +
          "If it runs already, look in its terminal for the port that it uses.",
      };
    }
    log.warn({ err: error }, "a request to a workspace's port failed");
    return { status: 500, title: "Oneloop failed", text: error.message };
  }

  /** `http` or `https`, as browsers see it. */
  #protocol(): string {
    return this.#appUrl.protocol.slice(0, -1);
  }
}

const notFound: Refusal = {
  status: 404,
  title: "There is nothing here for you",
  text: "The workspace does not exist, or it is somebody else's.",
};
const badRequest: Refusal = {
  status: 400,
  title: "Bad request",
  text: "This is not understood here.",
};
const foreign: Refusal = {
  status: 403,
  title: "Refused",
  text: "The request comes from a page of another site.",
};
const notSignedIn: Refusal = {
  status: 401,
  title: "Not signed in",
  text: "Open this address in a browser to sign in.",
};
const tooMany: Refusal = {
  status: 503,
  title: "Too many requests at a time",
  text: "The workspace has reached its limit. Close some pages and try again.",
  headers: { "Retry-After": "1" },
};

function redirect(location: string, headers: Readonly<Record<string, string>> = {}): Refusal {
  return {
    status: 302,
    title: "Found",
    text: location,
    headers: { Location: location, ...headers },
  };
}

/**
 * Which page asks: browsers name it in Origin (always for WebSockets and for what changes something),
 * and in Sec-Fetch-Site for all else. Another site's page is refused. Where nothing says that it is
 * this host's own, the cookie counts for nothing: a port that is for everybody is reached without
 * one (a webhook, `curl -d`), every other is refused.
 */
function askingPage(
  { headers, method }: IncomingMessage,
  own: { readonly origin: string; readonly webSocket: boolean },
): "own" | "foreign" | "unknown" {
  if (headers.origin !== undefined) {
    return headers.origin.toLowerCase() === own.origin ? "own" : "foreign";
  }
  if (own.webSocket || !["GET", "HEAD"].includes(method ?? "")) return "unknown";
  const site = headers["sec-fetch-site"];
  const embedded =
    (site === "cross-site" || site === "same-site") && headers["sec-fetch-mode"] !== "navigate";
  return embedded ? "unknown" : "own";
}

function hostHeaders({ rawHeaders }: IncomingMessage): number {
  return pairs(rawHeaders).filter(([name]) => name.toLowerCase() === "host").length;
}

function isNavigation({ method, headers }: IncomingMessage): boolean {
  if (method !== "GET" && method !== "HEAD") return false;
  const mode = headers["sec-fetch-mode"];
  return mode === undefined ? (headers.accept ?? "").includes("text/html") : mode === "navigate";
}

function answer(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const html = isNavigation(request);
  const body = html ? noticePage(refusal) : noticeText(refusal);
  response.writeHead(refusal.status, {
    ...ownHeaders(body, html),
    // A body that nobody reads would be taken for the next request's wait.
    ...(request.complete ? {} : { Connection: "close" }),
    ...refusal.headers,
  });
  response.end(body);
}

function answerRaw(socket: Duplex, refusal: Refusal): void {
  if (socket.destroyed || !socket.writable) return;
  const body = noticeText(refusal);
  const headers = { ...ownHeaders(body, false), Connection: "close", ...refusal.headers };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.end([`HTTP/1.1 ${refusal.status} ${refusal.title}`, ...lines, "", body].join("\r\n"), () =>
    socket.destroy(),
  );
}

function ownHeaders(body: string, html: boolean): Record<string, string> {
  return {
    "Content-Type": `${html ? "text/html" : "text/plain"}; charset=utf-8`,
    "Content-Length": String(Buffer.byteLength(body)),
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
  };
}
