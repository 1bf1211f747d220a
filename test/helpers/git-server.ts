import { spawn, type ChildProcess } from "node:child_process";
import { timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { gitEnv } from "./git.ts";

export interface GitServerOptions {
  /** The folder whose bare repositories are served. */
  readonly root: string;
  /** Default: 127.0.0.1. */
  readonly host?: string;
  /** Default: any free one. */
  readonly port?: number;
  /** Asked for by basic authentication; without them everybody may read and push. */
  readonly credentials?: { readonly user: string; readonly password: string };
  /** What the LFS side of the server has, by object id (SHA-256, hexadecimal). */
  readonly lfs?: ReadonlyMap<string, Buffer>;
  /** PEM; with it the server speaks https. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** What was asked, and how it was answered. */
export interface GitRequest {
  readonly method: string;
  /** With the query. */
  readonly url: string;
  readonly status: number;
  /** The user name that was given, right or wrong. */
  readonly user: string | null;
}

export interface GitServer extends AsyncDisposable {
  readonly port: number;
  /** Finished requests, the oldest first. */
  readonly requests: readonly GitRequest[];
  /** The URL of a repository such as `govapp.git`, without credentials. */
  url(repository: string): string;
}

/** A real git server: `git http-backend` (git-http-backend(1)) as a CGI program; it takes pushes. */
export async function startGitServer(options: GitServerOptions): Promise<GitServer> {
  const host = options.host ?? "127.0.0.1";
  const root = resolve(options.root);
  const requests: GitRequest[] = [];
  const children = new Set<ChildProcess>();

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const given = basicAuth(request.headers.authorization);
    response.once("close", () => {
      const { method = "", url = "" } = request;
      requests.push({ method, url, status: response.statusCode, user: given?.user ?? null });
    });
    const wanted = options.credentials;
    if (wanted !== undefined && !(given !== null && same(given, wanted))) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end();
      return;
    }
    if (/\/(info\/lfs|lfs-object)\//.test(request.url ?? "")) {
      void serveLfs(request, response, options.lfs ?? new Map());
      return;
    }
    const child = spawn("git", ["http-backend"], {
      env: cgiEnv(request, { root, user: given?.user ?? null }),
      stdio: ["pipe", "pipe", "ignore"],
    });
    children.add(child);
    child.once("close", () => children.delete(child));
    child.once("error", () => response.destroy());
    // A client that goes away takes its program with it.
    response.once("close", () => child.kill());
    child.stdin.on("error", () => undefined);
    request.pipe(child.stdin);
    answer(child.stdout, response);
  };

  const server =
    options.tls === undefined ? createServer(handle) : createTlsServer(options.tls, handle);
  server.listen(options.port ?? 0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const scheme = options.tls === undefined ? "http" : "https";
  return {
    port,
    requests,
    url: (repository) => `${scheme}://${host}:${port}/${repository}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
      await Promise.all([...children].map((child) => once(child, "close")));
    },
  };
}

/**
 * The batch API's downloads with the basic transfer adapter (git-lfs' docs/api/batch.md,
 * docs/api/basic-transfers.md).
 */
async function serveLfs(
  request: IncomingMessage,
  response: ServerResponse,
  objects: ReadonlyMap<string, Buffer>,
): Promise<void> {
  const url = request.url ?? "";
  const object = objects.get(/\/lfs-object\/([0-9a-f]{64})$/.exec(url)?.[1] ?? "");
  if (object !== undefined) {
    response.writeHead(200, { "content-type": "application/octet-stream" }).end(object);
    return;
  }
  if (!url.endsWith("/info/lfs/objects/batch")) {
    response.writeHead(404).end();
    return;
  }
  const asked = JSON.parse(await text(request)) as { objects: { oid: string; size: number }[] };
  const { authorization, host } = request.headers;
  const base = `${"encrypted" in request.socket ? "https" : "http"}://${host}${url.replace(/\/info\/lfs\/.*$/, "")}`;
  const answer = asked.objects.map(({ oid, size }) =>
    objects.has(oid)
      ? {
          oid,
          size,
          authenticated: true,
          actions: {
            download: {
              href: `${base}/lfs-object/${oid}`,
              header: authorization === undefined ? {} : { Authorization: authorization },
            },
          },
        }
      : { oid, size, error: { code: 404, message: "no such object" } },
  );
  response.writeHead(200, { "content-type": "application/vnd.git-lfs+json" });
  response.end(JSON.stringify({ transfer: "basic", objects: answer }));
}

function basicAuth(header: string | undefined): { user: string; password: string } | null {
  const encoded = /^Basic (\S+)$/i.exec(header ?? "")?.[1];
  if (encoded === undefined) return null;
  const [user = "", ...rest] = Buffer.from(encoded, "base64").toString().split(":");
  return { user, password: rest.join(":") };
}

function same(
  given: { user: string; password: string },
  wanted: { user: string; password: string },
): boolean {
  const a = Buffer.from(`${given.user}:${given.password}`);
  const b = Buffer.from(`${wanted.user}:${wanted.password}`);
  return a.length === b.length && timingSafeEqual(a, b);
}

/** RFC 3875, section 4.1; `HTTP_GIT_PROTOCOL` brings protocol version 2 (gitprotocol-v2(5)). */
function cgiEnv(
  request: IncomingMessage,
  { root, user }: { root: string; user: string | null },
): Record<string, string> {
  const url = new URL(request.url ?? "/", "http://git");
  const { headers } = request;
  return {
    ...gitEnv,
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: "1",
    // Pushes are for signed-in users only unless the repository says so: here, for all.
    GIT_CONFIG_COUNT: "2",
    GIT_CONFIG_KEY_0: "http.receivepack",
    GIT_CONFIG_VALUE_0: "true",
    // The folder may belong to another user than the test's.
    GIT_CONFIG_KEY_1: "safe.directory",
    GIT_CONFIG_VALUE_1: "*",
    REQUEST_METHOD: request.method ?? "GET",
    PATH_INFO: decodeURIComponent(url.pathname),
    QUERY_STRING: url.search.slice(1),
    REMOTE_ADDR: request.socket.remoteAddress ?? "",
    ...(user === null ? {} : { REMOTE_USER: user }),
    ...optional("CONTENT_TYPE", headers["content-type"]),
    ...optional("CONTENT_LENGTH", headers["content-length"]),
    ...optional("HTTP_CONTENT_ENCODING", headers["content-encoding"]),
    ...optional("HTTP_GIT_PROTOCOL", headers["git-protocol"]?.toString()),
  };
}

function optional(name: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [name]: value };
}

/** Takes the CGI program's head off (RFC 3875, section 6.2) and passes the rest on as it comes. */
function answer(output: NodeJS.ReadableStream, response: ServerResponse): void {
  let kept = Buffer.alloc(0);
  const readHead = (chunk: Buffer): void => {
    kept = Buffer.concat([kept, chunk]);
    const end = kept.indexOf("\r\n\r\n");
    if (end === -1) return;
    output.off("data", readHead);
    for (const line of kept.toString("latin1", 0, end).split("\r\n")) {
      const colon = line.indexOf(":");
      const name = line.slice(0, colon);
      const value = line.slice(colon + 1).trim();
      if (name.toLowerCase() === "status") response.statusCode = Number.parseInt(value, 10);
      else response.setHeader(name, value);
    }
    response.write(kept.subarray(end + 4));
    output.pipe(response);
  };
  output.on("data", readHead);
  output.once("end", () => {
    if (!response.headersSent) response.writeHead(502).end();
  });
}
