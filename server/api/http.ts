import type { IncomingMessage, ServerResponse } from "node:http";
import { resolve } from "node:path";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import { serveStatic } from "@hono/node-server/serve-static";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { Hono, type Context } from "hono";
import { bodyLimit } from "hono/body-limit";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { secureHeaders } from "hono/secure-headers";
import type { SignedIn } from "../auth/accounts.ts";
import { databaseFailure } from "../db/database.ts";
import type { Supervisors } from "../terminals/supervisors.ts";
import type { Counters } from "../util/counters.ts";
import { limitBodyTime } from "../util/http-doors.ts";
import { mayCall, type AppHosts } from "./origin.ts";
import { appRouter } from "./router.ts";
import { sshPath, sshUpgrade, type SshDoor } from "./ssh-upgrade.ts";
import { terminalUpgrade } from "./terminal-upgrade.ts";
import { failureShape, type ApiServices } from "./trpc.ts";

/** Host-only, so that no workspace's port ever gets it; `Lax`, so that a link to the app works. */
export const sessionCookie = "__Host-oneloop-session";
const sessionSeconds = 30 * 24 * 60 * 60;

/** A stranger's body; the largest real one is a one-time code. */
const maxStrangersBodyBytes = 64 * 1024;
/** A signed-in user's; the largest real one is a devfile. */
const maxBodyBytes = 1024 * 1024;

export interface ApiOptions {
  readonly services: ApiServices;
  readonly supervisors: Supervisors;
  readonly hosts: AppHosts;
  /** The folder of the built web app. */
  readonly webFolder: string;
  /**
   * A one-time code that signs a user in on a port's host; null when the URL is of no port of ours
   * that this user may reach.
   */
  readonly portSignIn: (user: SignedIn, to: URL) => Promise<string | null>;
  readonly sshDoor: SshDoor;
  /** What the doors have counted. */
  readonly counters: Pick<Counters, "text">;
}

export interface Api {
  handleRequest(request: IncomingMessage, response: ServerResponse): void;
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** The web app and the tRPC API behind it and the command line. */
export function createApi(options: ApiOptions): Api {
  const { services, hosts, supervisors } = options;
  const app = new Hono();

  app.use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'self'"],
        // xterm.js sets the colours and sizes of its cells by style elements.
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", "data:"],
        connectSrc: ["'self'", hosts.publicUrl.replace(/^http/, "ws")],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
      },
      xFrameOptions: "DENY",
      referrerPolicy: "no-referrer",
    }),
  );

  app.all("/trpc/*", async (c) => {
    const kind = hosts.kindOf(c.req.header("host"));
    const refusal = mayCall(c.req.raw, kind, hosts);
    if (refusal !== null) return c.json({ error: { message: refusal } }, 403);
    const user =
      kind === "app"
        ? ((await bearer(c, services)) ?? (await session(c, services)))
        : await bearer(c, services);
    // Read to its limit before anything else: a body in chunks does not say how long it is.
    const tooLong = await bodyLimit({
      maxSize: user === null ? maxStrangersBodyBytes : maxBodyBytes,
      onError: () => c.text("The request is too long.", 413, { connection: "close" }),
    })(c, async () => undefined);
    if (tooLong !== undefined) return tooLong;
    return fetchRequestHandler({
      endpoint: "/trpc",
      router: appRouter,
      req: c.req.raw,
      createContext: () => ({
        services,
        user,
        setSession: (secret) => writeSession(c, secret),
      }),
      responseMeta: () => ({ headers: new Headers({ "cache-control": "no-store" }) }),
    }).then((response) => withCookies(c, response));
  });

  // For a token of the owner's, and nobody else: behind a proxy on this machine every request comes
  // from the loopback, so that an address says nothing.
  app.get("/metrics", async (c) => {
    if (hosts.kindOf(c.req.header("host")) === "other") return c.notFound();
    const user = await bearer(c, services);
    if (user === null) return c.text("The metrics need a token of the owner's.", 401);
    if (user.role !== "owner") return c.text("The metrics are for the owner.", 403);
    const type = "text/plain; version=0.0.4; charset=utf-8";
    return c.body(options.counters.text(), 200, { "content-type": type });
  });

  // Everything below is for browsers, at the app's own host name only.
  app.use(async (c, next) => {
    if (hosts.kindOf(c.req.header("host")) === "app") return next();
    return c.redirect(`${hosts.publicUrl}${new URL(c.req.url).pathname}`);
  });

  app.get("/port-sign-in", async (c) => {
    const target = c.req.query("to") ?? "";
    const user = await session(c, services);
    if (user === null) return c.redirect("/sign-in");
    const to = URL.canParse(target) ? new URL(target) : null;
    const code = to === null ? null : await options.portSignIn(user, to);
    if (to === null || code === null)
      return c.text("This is no port of a workspace of yours.", 400);
    const next = new URL("/.oneloop/sign-in", to.origin);
    next.searchParams.set("code", code);
    next.searchParams.set("to", to.pathname + to.search);
    return c.redirect(next.href);
  });

  const root = resolve(options.webFolder);
  // Names of assets are content hashes; a missing one is of an older build, and never the page.
  const immutable = "public, max-age=31536000, immutable";
  app.get(
    "/assets/*",
    serveStatic({ root, onFound: (_path, c) => c.header("cache-control", immutable) }),
    (c) => c.text("This file is of another version. Reload the page.", 404),
  );
  app.get("*", serveStatic({ root }));
  app.get("*", serveStatic({ root, path: "index.html" }));
  app.onError((error, c) => {
    services.log.error({ err: error, path: c.req.path }, "request failed");
    const failure = databaseFailure(error);
    // Before any procedure: who asks cannot be told now.
    if (failure !== null && c.req.path.startsWith("/trpc/")) {
      return c.json({ error: failureShape(failure) }, 503);
    }
    if (failure !== null) return c.text(failure.message, 503);
    return c.text("Something in Oneloop failed. The control plane's log has the cause.", 500);
  });

  const listener = getRequestListener(app.fetch);
  const toTerminal = terminalUpgrade({ services, supervisors, hosts, sessionCookie });
  const toSsh = sshUpgrade({ services, hosts, sshDoor: options.sshDoor });
  return {
    handleRequest: (request, response) => {
      limitBodyTime(request);
      void listener(request, response);
    },
    handleUpgrade: (request, socket, head) => {
      if (request.url === sshPath) toSsh(request, socket, head);
      else toTerminal(request, socket, head);
    },
  };
}

async function session(c: Context, services: ApiServices): Promise<SignedIn | null> {
  const secret = getCookie(c, sessionCookie);
  return secret === undefined ? null : services.accounts.authenticate(secret, "session");
}

async function bearer(c: Context, services: ApiServices): Promise<SignedIn | null> {
  const secret = /^Bearer (\S+)$/.exec(c.req.header("authorization") ?? "")?.[1];
  return secret === undefined ? null : services.accounts.authenticate(secret, "token");
}

function writeSession(c: Context, secret: string | null): void {
  if (secret === null) {
    deleteCookie(c, sessionCookie, { path: "/", secure: true });
    return;
  }
  setCookie(c, sessionCookie, secret, {
    path: "/",
    secure: true,
    httpOnly: true,
    sameSite: "Lax",
    maxAge: sessionSeconds,
  });
}

/** tRPC makes its own Response: the cookies that procedures set on the context join it here. */
function withCookies(c: Context, response: Response): Response {
  const cookies = c.res.headers.getSetCookie();
  if (cookies.length === 0) return response;
  const headers = new Headers(response.headers);
  for (const cookie of cookies) headers.append("set-cookie", cookie);
  c.res.headers.delete("set-cookie");
  return new Response(response.body, { status: response.status, headers });
}
