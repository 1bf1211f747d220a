import { connect, type Socket } from "node:net";
import { createTRPCClient, httpLink, httpSubscriptionLink, splitLink } from "@trpc/client";
import { EventSource } from "eventsource";
import type { AppRouter } from "../../server/api/router.ts";
import type { WorkspaceSummary } from "../../server/protocol/workspace.ts";
import type { Installation } from "../helpers/installation.ts";

/** A browser's way in, without a browser's time: the API, and terminals over WebSockets. */
export class BenchClient {
  readonly api: ReturnType<typeof createApi>;
  readonly #host: string;
  readonly #address: string;
  readonly #cookie: string;

  private constructor(installation: Installation, secrets: { token: string; cookie: string }) {
    this.#address = `127.0.0.1:${installation.port}`;
    this.#host = `app.localhost:${installation.port}`;
    this.#cookie = secrets.cookie;
    this.api = createApi(`http://${this.#address}/trpc`, secrets.token);
  }

  static async signIn(installation: Installation): Promise<BenchClient> {
    const code = installation.signInLink.split("#")[1] ?? "";
    const address = `http://127.0.0.1:${installation.port}/trpc/auth.exchange`;
    const answer = await fetch(address, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ code, kind: "session" }),
    });
    const cookie = answer.headers.getSetCookie()[0]?.split(";")[0] ?? "";
    const { stdout } = await installation.loop("login", "--local", "--json");
    const token =
      (JSON.parse(stdout) as { token?: string }).token ?? (await storedToken(installation));
    return new BenchClient(installation, { token, cookie });
  }

  /** Resolves when the workspace runs. */
  async open(contextUrl: string): Promise<WorkspaceSummary> {
    const { workspace } = await this.api.workspaces.open.mutate({ contextUrl });
    if (workspace.state === "running") return workspace;
    return this.waitFor(workspace.id, "running");
  }

  waitFor(workspace: string, state: WorkspaceSummary["state"]): Promise<WorkspaceSummary> {
    return new Promise((resolve, reject) => {
      const watching = this.api.workspaces.watch.subscribe(
        { workspace },
        {
          onData: ({ data }) => {
            if (data.kind !== "state") return;
            if (data.workspace.state !== state && data.workspace.state !== "failed") return;
            watching.unsubscribe();
            if (data.workspace.state === state) resolve(data.workspace);
            else reject(new Error(data.workspace.error?.message ?? "failed"));
          },
          onError: reject,
        },
      );
    });
  }

  async delete(workspace: string): Promise<void> {
    await this.api.workspaces.delete.mutate({ workspace, force: true });
    await new Promise<void>((resolve, reject) => {
      const watching = this.api.workspaces.watch.subscribe(
        { workspace },
        {
          onData: ({ data }) => {
            if (data.kind !== "deleted") return;
            watching.unsubscribe();
            resolve();
          },
          // Gone before we looked: as deleted as it gets.
          onError: (error) =>
            error.data?.oneloop.code === "not-found" ? resolve() : reject(error),
        },
      );
    });
  }

  /**
   * A WebSocket on a terminal, read without taking its frames apart: they are few, and a reader that
   * costs as much as what is measured would measure itself. Resolves at the terminal's first byte.
   */
  async terminal(workspaceId: string, terminalId: string): Promise<TerminalReader> {
    const reader = new TerminalReader(Number(this.#address.split(":")[1]));
    reader.write(
      [
        `GET /terminals/${workspaceId}/${terminalId} HTTP/1.1`,
        `Host: ${this.#host}`,
        `Origin: http://${this.#host}`,
        `Cookie: ${this.#cookie}`,
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "",
        "",
      ].join("\r\n"),
    );
    // A prompt ends with a blank, and perhaps a control sequence; the hello message before it not.
    await reader.until((tail) => /[$#%>] \S{0,12}$/.test(tail));
    return reader;
  }
}

/** The end of what came last: enough for a prompt or an end mark. */
const tailBytes = 400;

export class TerminalReader implements Disposable {
  readonly #socket: Socket;
  #tail = "";
  #waiting: {
    readonly found: (tail: string) => boolean;
    readonly resolve: () => void;
    readonly reject: (error: Error) => void;
  } | null = null;
  #ended: Error | null = null;

  constructor(port: number) {
    this.#socket = connect({
      port,
      host: "127.0.0.1",
      noDelay: true,
      // One buffer for all reads: what is received is looked at and let go.
      onread: {
        buffer: Buffer.alloc(256 * 1024),
        callback: (length, buffer) => {
          const last = buffer.subarray(Math.max(0, length - tailBytes), length) as Buffer;
          this.#tail = (this.#tail + last.toString("latin1")).slice(-tailBytes);
          this.#look();
          return true;
        },
      },
    });
    this.#socket.once("error", (error) => this.#end(error));
    this.#socket.once("close", () => this.#end(new Error(`the terminal closed: ${this.#tail}`)));
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  /** Types into the terminal: one masked binary message (RFC 6455 section 5), masked with zeros. */
  type(text: string): void {
    const payload = Buffer.from(text);
    const header = Buffer.from([0x82, 0x80 | 126, 0, 0, 0, 0, 0, 0]);
    header.writeUInt16BE(payload.length, 2);
    this.#tail = "";
    this.#socket.write(Buffer.concat([header, payload]));
  }

  /** Resolves when the end of what was received fits. */
  until(found: (tail: string) => boolean): Promise<void> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiting = { found, resolve, reject };
      this.#look();
    });
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #look(): void {
    if (this.#waiting?.found(this.#tail) !== true) return;
    const { resolve } = this.#waiting;
    this.#waiting = null;
    resolve();
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.#waiting?.reject(this.#ended);
    this.#waiting = null;
  }
}

async function storedToken(installation: Installation): Promise<string> {
  const { readdir, readFile } = await import("node:fs/promises");
  const folder = installation.env["ONELOOP_CONFIG_DIR"] ?? "";
  for (const file of await readdir(folder)) {
    const token = /oneloop_[\w-]+/.exec(await readFile(`${folder}/${file}`, "utf8"))?.[0];
    if (token !== undefined) return token;
  }
  throw new Error("the command line kept no token");
}

function createApi(url: string, token: string) {
  const headers = { authorization: `Bearer ${token}` };
  return createTRPCClient<AppRouter>({
    links: [
      splitLink({
        condition: ({ type }) => type === "subscription",
        true: httpSubscriptionLink({
          url,
          EventSource,
          eventSourceOptions: () => ({
            fetch: (input, init) =>
              fetch(input, { ...init, headers: { ...init.headers, ...headers } }),
          }),
        }),
        false: httpLink({ url, headers }),
      }),
    ],
  });
}
