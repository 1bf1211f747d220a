import { randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { WebSocket, WebSocketServer, type RawData } from "ws";
import { AttachTerminal } from "../../../server/protocol/supervisor.ts";
import {
  TerminalConnection,
  highWaterBytes,
  lowWaterBytes,
  terminalSocketUrl,
  type ConnectionOptions,
  type ConnectionState,
} from "../../../web/src/terminal/connection.ts";

/** What a server got; `ws` gives Buffers, unless told otherwise. */
function text(data: RawData): string {
  return (data as Buffer).toString();
}

const size = { cols: 80, rows: 24 };

/** A server on a real socket; `serve` plays the supervisor. */
async function terminalServer(serve: (socket: WebSocket, from: number) => void) {
  const http = createServer();
  const sockets = new WebSocketServer({ server: http });
  sockets.on("connection", (socket, request) => {
    const q = new URL(request.url ?? "/", "http://localhost").searchParams.get("q");
    serve(socket, AttachTerminal.parse(JSON.parse(q ?? "{}")).from);
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const host = `127.0.0.1:${(http.address() as AddressInfo).port}`;
  return {
    open: (attach: AttachTerminal): WebSocket =>
      new WebSocket(
        terminalSocketUrl(
          { protocol: "http:", host },
          { workspaceId: "w", terminalId: "t" },
          attach,
        ),
      ),
    cutAll: (): void => {
      for (const socket of sockets.clients) socket.terminate();
    },
    [Symbol.asyncDispose]: async (): Promise<void> => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      http.close();
      await once(http, "close");
    },
  };
}

function hello(offset: number, more: { end?: number; readOnly?: boolean } = {}): string {
  return JSON.stringify({ type: "hello", offset, readOnly: false, ...size, ...more });
}

/** A connection that records; `until` waits for a condition over what it has recorded. */
function connect(
  open: ConnectionOptions["open"],
  options: { after?: ConnectionOptions["after"]; holdParsing?: boolean } = {},
) {
  const chunks: Uint8Array[] = [];
  const states: ConnectionState[] = [];
  const held: (() => void)[] = [];
  const waiting = new Set<() => void>();
  const changed = (): void => {
    for (const check of waiting) check();
  };
  const seen = { bytes: 0, resets: 0, hold: options.holdParsing ?? false };
  const connection = new TerminalConnection({
    open,
    sink: {
      write: (bytes, parsed) => {
        chunks.push(bytes);
        seen.bytes += bytes.length;
        if (seen.hold) held.push(parsed);
        else parsed();
        changed();
      },
      reset: () => {
        seen.resets += 1;
        chunks.length = 0;
      },
      resize: () => {},
    },
    onState: (state) => {
      states.push(state);
      changed();
    },
    ...(options.after === undefined ? {} : { after: options.after }),
  });
  return {
    connection,
    states,
    seen,
    content: (): Buffer => Buffer.concat(chunks),
    parseAll: (): void => {
      seen.hold = false;
      for (const parsed of held.splice(0)) parsed();
    },
    until: (condition: () => boolean): Promise<void> =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!condition()) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
    [Symbol.dispose]: (): void => connection[Symbol.dispose](),
  };
}

/** Retries without waiting, and keeps the delays that were asked for. */
function immediately(delays: number[]): ConnectionOptions["after"] {
  return (delayMs, callback) => {
    delays.push(delayMs);
    const handle = setImmediate(callback);
    return () => clearImmediate(handle);
  };
}

test("random cuts neither lose nor double a byte", async () => {
  const output = randomBytes(4 * 1024 * 1024);
  let cuts = 0;
  await using server = await terminalServer((socket, from) => {
    socket.send(hello(from));
    const upTo = from + randomInt(1, 400_000);
    let at = from;
    while (at < Math.min(upTo, output.length)) {
      const next = Math.min(at + randomInt(1, 50_000), upTo, output.length);
      socket.send(output.subarray(at, next));
      at = next;
    }
    if (at === output.length) return;
    cuts += 1;
    // Some cuts destroy what is still on the way, some do not.
    if (randomInt(2) === 0) socket.terminate();
    else socket.close();
  });
  using client = connect(server.open, { after: immediately([]) });
  await client.until(() => client.seen.bytes >= output.length);
  expect(cuts).toBeGreaterThan(5);
  expect(client.seen.resets).toBe(0);
  expect(client.content().equals(output)).toBe(true);
  expect(client.connection.offset).toBe(output.length);
});

test("where the terminal no longer keeps the bytes asked for, the screen is reset first", async () => {
  let connections = 0;
  await using server = await terminalServer((socket) => {
    connections += 1;
    socket.send(hello(connections === 1 ? 0 : 1000));
    socket.send(Buffer.from(connections === 1 ? "before" : "after"));
    if (connections === 1) socket.close();
  });
  using client = connect(server.open, { after: immediately([]) });
  await client.until(() => client.content().toString() === "after");
  expect(client.seen.resets).toBe(1);
  expect(client.connection.offset).toBe(1005);
});

test("input is refused while the connection is cut, and goes through again after it", async () => {
  const typed: string[] = [];
  await using server = await terminalServer((socket, from) => {
    socket.send(hello(from));
    socket.on("message", (data, isBinary) => {
      if (!isBinary) return;
      typed.push(text(data));
      socket.send(data);
    });
  });
  // Its own retry never comes: only `retryNow` connects again.
  using client = connect(server.open, { after: () => () => {} });
  await client.until(() => client.states.at(-1)?.kind === "open");
  expect(client.connection.send(Buffer.from("a"))).toBe(true);
  await client.until(() => client.seen.bytes === 1);
  server.cutAll();
  await client.until(() => client.states.at(-1)?.kind === "reconnecting");
  expect(client.connection.send(Buffer.from("b"))).toBe(false);
  client.connection.retryNow();
  await client.until(() => client.states.at(-1)?.kind === "open");
  expect(client.connection.send(Buffer.from("c"))).toBe(true);
  await client.until(() => client.content().toString() === "ac");
  expect(typed).toEqual(["a", "c"]);
});

test("the wait between tries grows from 250 ms to 5 s and starts over after a success", async () => {
  const delays: number[] = [];
  let refusals = 7;
  await using server = await terminalServer((socket, from) => {
    if (refusals > 0) {
      refusals -= 1;
      socket.close();
      return;
    }
    socket.send(hello(from));
  });
  using client = connect(server.open, { after: immediately(delays) });
  await client.until(() => client.states.at(-1)?.kind === "open");
  expect(delays).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000]);
  server.cutAll();
  await client.until(() => client.states.filter(({ kind }) => kind === "open").length === 2);
  expect(delays.at(-1)).toBe(250);
});

test("nothing is typed into a terminal before its replay is on the screen", async () => {
  await using server = await terminalServer((socket, from) => {
    socket.send(hello(from, { end: 6 }));
    socket.send(Buffer.from("\u001b[cabc"));
  });
  using client = connect(server.open, { holdParsing: true });
  await client.until(() => client.seen.bytes === 6);
  expect(client.connection.send(Buffer.from("\u001b[?1;2c"))).toBe(false);
  client.parseAll();
  expect(client.states).toEqual([{ kind: "open", readOnly: false }]);
});

test("a viewer that falls behind asks again for what it dropped, and can type meanwhile", async () => {
  const output = randomBytes(highWaterBytes + 8 * 1024 * 1024);
  const froms: number[] = [];
  const typed: string[] = [];
  await using server = await terminalServer((socket, from) => {
    froms.push(from);
    socket.send(hello(from));
    const chunkBytes = 256 * 1024;
    for (let at = from; at < output.length; at += chunkBytes) {
      socket.send(output.subarray(at, at + chunkBytes));
    }
    socket.send(JSON.stringify({ type: "resize", ...size }));
    socket.on("message", (data, isBinary) => {
      if (!isBinary) return;
      typed.push(text(data));
      socket.send(JSON.stringify({ type: "exit", exitCode: 130, signal: null }));
    });
  });
  using client = connect(server.open, { holdParsing: true });
  await client.until(() => client.seen.bytes > highWaterBytes);
  expect(client.seen.bytes).toBeLessThan(highWaterBytes + lowWaterBytes);
  expect(client.connection.send(Buffer.from("\u0003"))).toBe(true);
  client.parseAll();
  await client.until(() => client.seen.bytes >= output.length);
  expect(froms).toHaveLength(2);
  expect(client.content().equals(output)).toBe(true);
  expect(client.connection.send(Buffer.from("q"))).toBe(true);
  await client.until(() => client.states.at(-1)?.kind === "exited");
  expect(typed).toContain("\u0003");
});

test("a program's end is told once, and nothing connects again after it", async () => {
  let connections = 0;
  await using server = await terminalServer((socket, from) => {
    connections += 1;
    socket.send(hello(from));
    socket.send(Buffer.from("bye"));
    socket.send(JSON.stringify({ type: "exit", exitCode: 3, signal: null }));
    socket.close();
  });
  const delays: number[] = [];
  let closed: Promise<unknown> = Promise.resolve();
  using client = connect(
    (attach) => {
      const socket = server.open(attach);
      closed = once(socket, "close");
      return socket;
    },
    { after: immediately(delays) },
  );
  await client.until(() => client.states.at(-1)?.kind === "exited");
  await closed;
  expect(client.states.at(-1)).toEqual({ kind: "exited", exitCode: 3, signal: null });
  expect(client.content().toString()).toBe("bye");
  expect(connections).toBe(1);
  expect(delays).toEqual([]);
});

test("the size is sent as soon as the terminal is there, and again after a cut", async () => {
  const sizes: unknown[] = [];
  await using server = await terminalServer((socket, from) => {
    socket.send(hello(from));
    socket.on("message", (data) => {
      sizes.push(JSON.parse(text(data)));
      socket.send(Buffer.from("."));
    });
  });
  using client = connect(server.open, { after: immediately([]) });
  client.connection.resize({ cols: 120, rows: 40 });
  await client.until(() => client.seen.bytes === 1);
  server.cutAll();
  await client.until(() => client.seen.bytes === 2);
  expect(sizes).toEqual([
    { type: "resize", cols: 120, rows: 40 },
    { type: "resize", cols: 120, rows: 40 },
  ]);
});
