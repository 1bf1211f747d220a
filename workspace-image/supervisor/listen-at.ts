import { chmodSync, linkSync, lstatSync, unlinkSync, type Stats } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { randomId } from "./ids.ts";

/** Where programs inside connect, and an end to it. */
export interface Bound<Place> {
  readonly place: Place;
  /** What is connected stays so. */
  close(): void;
}

type Serve = (connection: Socket) => void;

/** Which files are sockets that somebody here listens at. */
export type OwnSockets = Set<string>;

/** Of the loopback, as `localhost` is in both families. */
const loopback = { v4: "127.0.0.1", v6: "::1" };

/** Here there is no IPv6: half of the loopback is all of it. */
const noSuchFamily: ReadonlySet<unknown> = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT"]);

/**
 * Listens at a unix socket that only its user (and root) may use. The last one that nobody listens at
 * any more is replaced; anything else that is there stays.
 *
 * @throws Error with the system's code, `EADDRINUSE` where somebody listens or another file is.
 */
export async function listenAtPath(
  path: string,
  { serve, own }: { readonly serve: Serve; readonly own: OwnSockets },
): Promise<Bound<string>> {
  // Made under another name: Node removes what it bound when it closes, by name, and by then another
  // socket may be there.
  const draft = join(dirname(path), `.${randomId().slice(0, 8)}`);
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, serve);
  try {
    await listening(server, { path: draft });
    chmodSync(draft, 0o600);
    const file = lstatSync(draft);
    await placeAt(draft, path, own);
    own.add(nameOf(file));
    return {
      place: path,
      close: () => {
        if (isSame(file, statOf(path))) unlinkSync(path);
        own.delete(nameOf(file));
        server.close();
      },
    };
  } catch (error) {
    server.close();
    throw error;
  } finally {
    // When it does not listen, there is none.
    if (statOf(draft) !== null) unlinkSync(draft);
  }
}

/**
 * Listens at a port of the loopback, in both families where there are two.
 *
 * @param port 0: any free one.
 * @throws Error with the system's code, such as `EADDRINUSE`.
 */
export async function listenAtPort(port: number, serve: Serve): Promise<Bound<number>> {
  const servers: Server[] = [];
  const close = (): void => {
    for (const server of servers) server.close();
  };
  const listenOn = async (host: string, at: number): Promise<number> => {
    const server = createServer(
      { allowHalfOpen: true, pauseOnConnect: true, noDelay: true },
      serve,
    );
    await listening(server, { host, port: at });
    servers.push(server);
    return (server.address() as AddressInfo).port;
  };
  try {
    const chosen = await listenOn(loopback.v4, port);
    try {
      await listenOn(loopback.v6, chosen);
    } catch (error) {
      if (!noSuchFamily.has(codeOf(error))) throw error;
    }
    return { place: chosen, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Never over a socket at which somebody listens: a link does not replace. */
async function placeAt(draft: string, path: string, own: OwnSockets): Promise<void> {
  const old = statOf(path);
  // One of our own is not tried: its client would see a connection.
  if (old?.isSocket() === true && !own.has(nameOf(old)) && !(await answers(path))) {
    if (isSame(old, statOf(path))) unlinkSync(path);
  }
  try {
    linkSync(draft, path);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
    throw Object.assign(new Error(`there is a file ${path}`), { code: "EADDRINUSE" });
  }
}

function listening(
  server: Server,
  at: { readonly path: string } | { readonly host: string; readonly port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(at, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Only a refusal says that nobody listens; one that is too busy does. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => resolve(codeOf(error) !== "ECONNREFUSED"));
  });
}

function statOf(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}

function nameOf({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}

function isSame(a: Stats, b: Stats | null): boolean {
  return b !== null && nameOf(a) === nameOf(b);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
