import { createTRPCClient, httpLink, httpSubscriptionLink, splitLink } from "@trpc/client";
import { EventSource } from "eventsource";
import { WebSocket } from "ws";
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

  /** A socket on a terminal; binary messages are its bytes. */
  terminal(workspaceId: string, terminalId: string): WebSocket {
    const socket = new WebSocket(`ws://${this.#address}/terminals/${workspaceId}/${terminalId}`, {
      headers: { host: this.#host, origin: `http://${this.#host}`, cookie: this.#cookie },
      perMessageDeflate: false,
    });
    socket.binaryType = "nodebuffer";
    return socket;
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
