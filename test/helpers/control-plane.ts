import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { appRouter } from "../../server/api/router.ts";
import { applyMigrations } from "../../server/db/migrate.ts";
import { FakeEngine } from "../../server/engine/fake/index.ts";
import { runControlPlane } from "../../server/main.ts";
import { WireError } from "../../server/protocol/errors.ts";
import { defaultImage } from "../../server/sources/fallback/default-model.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { createLog } from "../../server/util/log.ts";
import { readSettings } from "../../server/util/settings.ts";
import { startFarEnd } from "./far-end.ts";
import { root } from "./installation.ts";
import { facts } from "./plans.ts";
import { enterableFolder, throwawayPostgres } from "./postgres.ts";

/** What a program or a browser shows of who it is. */
export interface Credentials {
  readonly token?: string;
  /** A session's Cookie header: the request is then one of the app's own page. */
  readonly cookie?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export interface Called extends Answer {
  /** What the procedure gave, or the first thing that a subscription yielded. */
  readonly data: unknown;
  readonly failure: WireError | null;
}

export type ProcedureType = "query" | "mutation" | "subscription";

/** Every procedure of the API, by name. */
export function procedures(): ReadonlyMap<string, ProcedureType> {
  // At run time it is flat, by whole names; its type is nested.
  const all = appRouter._def.procedures as unknown as Record<
    string,
    { _def: { type: ProcedureType } }
  >;
  return new Map(Object.entries(all).map(([name, { _def }]) => [name, _def.type]));
}

/** One control plane, as `main.ts` wires it, at free ports. */
export class TestControlPlane implements AsyncDisposable {
  /** Of HTTP. */
  readonly port: number;
  readonly sshPort: number;
  readonly signInLink: string;
  readonly #lifetime: Lifetime;
  readonly #logFile: string;

  private constructor(parts: {
    ports: { port: number; sshPort: number };
    signInLink: string;
    lifetime: Lifetime;
    logFile: string;
  }) {
    ({ port: this.port, sshPort: this.sshPort } = parts.ports);
    this.signInLink = parts.signInLink;
    this.#lifetime = parts.lifetime;
    this.#logFile = parts.logFile;
  }

  /** @param env more settings, such as ONELOOP_SSH_CODES. */
  static async start(
    installation: TestInstallation,
    name: string,
    env: Readonly<Record<string, string>> = {},
  ): Promise<TestControlPlane> {
    const lifetime = new Lifetime();
    try {
      const { path } = lifetime.own(await enterableFolder());
      const logFile = join(path, "log");
      const running = lifetime.own(
        await runControlPlane(
          {
            settings: readSettings({
              ONELOOP_DATA_DIR: path,
              ONELOOP_PORT: "0",
              ONELOOP_SSH_PORT: "0",
              ...env,
            }),
            installation: name,
            secretKey: installation.secretKey,
            databaseUrl: installation.databaseUrl,
            images: {
              helper: defaultImage,
              workspace: defaultImage,
              supervisorVolume: "none",
              supervisorImage: "none",
              trustId: null,
            },
            root,
            signal: new AbortController().signal,
            log: createLog({ level: "debug", file: logFile }),
          },
          async () => installation.engine,
        ),
      );
      const port = Number(new URL(running.url).port);
      const config = await ask(port, { path: "/trpc/config" });
      const { result } = JSON.parse(config.body) as { result: { data: { sshPort: number } } };
      return new TestControlPlane({
        ports: { port, sshPort: result.data.sshPort },
        signInLink: running.signInLink,
        lifetime,
        logFile,
      });
    } catch (error) {
      await lifetime[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** All that it logged. */
  log(): string {
    return readFileSync(this.#logFile, "utf8");
  }

  get appHost(): string {
    return `app.localhost:${this.port}`;
  }

  get(path: string, headers: Record<string, string>): Promise<Answer> {
    return ask(this.port, { path, headers });
  }

  /** The head of an upgrade, as the app's own page sends it. */
  async upgrade(path: string, headers: Record<string, string>): Promise<Answer> {
    const webSocket = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": Buffer.alloc(16).toString("base64"),
    };
    return ask(this.port, { path, headers: { ...webSocket, ...headers } });
  }

  /** Calls a procedure over HTTP. Of a subscription, the first thing is waited for. */
  async call(name: string, input: unknown, credentials: Credentials = {}): Promise<Called> {
    const type = procedures().get(name);
    if (type === undefined) throw new Error(`there is no procedure ${name}`);
    const body = JSON.stringify(input ?? {});
    const answer = await ask(this.port, {
      path: `/trpc/${name}${type === "mutation" ? "" : `?input=${encodeURIComponent(body)}`}`,
      method: type === "mutation" ? "POST" : "GET",
      headers: {
        ...(type === "subscription" ? { accept: "text/event-stream" } : {}),
        ...this.headers(credentials),
      },
      ...(type === "mutation" ? { body } : {}),
      firstEvent: type === "subscription",
    });
    return { ...answer, ...(type === "subscription" ? eventIn(answer) : jsonIn(answer)) };
  }

  /** As `call`, for what must work. */
  async ok<Data>(name: string, input: unknown, credentials: Credentials): Promise<Data> {
    const { failure, data } = await this.call(name, input, credentials);
    if (failure !== null) throw new Error(`${name}: ${failure.code}: ${failure.message}`);
    return data as Data;
  }

  /** The credentials that a sign-in link gives. */
  async signIn(link: string, kind: "session" | "token", name = ""): Promise<Credentials> {
    const code = new URL(link).hash.slice(1);
    const { headers, data, failure } = await this.call(
      "auth.exchange",
      { code, kind, name },
      { cookie: "none=1" },
    );
    if (failure !== null) throw new Error(failure.message);
    if (kind === "token") return { token: (data as { token: string }).token };
    return { cookie: headers["set-cookie"]?.[0]?.split(";")[0] ?? "" };
  }

  headers({ token, cookie }: Credentials): Record<string, string> {
    if (cookie === undefined) {
      return token === undefined ? {} : { authorization: `Bearer ${token}` };
    }
    return {
      host: this.appHost,
      cookie,
      origin: `http://${this.appHost}`,
      "sec-fetch-site": "same-origin",
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}

/** A database, an engine in memory, and one workspace's real supervisor: what control planes share. */
export interface TestInstallation extends AsyncDisposable {
  readonly databaseUrl: string;
  readonly secretKey: string;
  readonly engine: FakeEngine;
  /** The id that a workspace must have to have a supervisor. */
  readonly workspaceId: string;
}

export async function startTestInstallation(): Promise<TestInstallation> {
  const lifetime = new Lifetime();
  try {
    const postgres = lifetime.own(await throwawayPostgres());
    await applyMigrations(postgres.url, join(root, "migrations"));
    const farEnd = lifetime.own(await startFarEnd());
    return {
      databaseUrl: postgres.url,
      secretKey: farEnd.secretKey,
      engine: new FakeEngine({ images: { [defaultImage]: facts }, address: farEnd.address }),
      workspaceId: farEnd.owner.id,
      [Symbol.asyncDispose]: () => lifetime[Symbol.asyncDispose](),
    };
  } catch (error) {
    await lifetime[Symbol.asyncDispose]();
    throw error;
  }
}

interface Asked {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  /** Ends the request after the first event that says something. */
  readonly firstEvent?: boolean;
}

async function ask(port: number, asked: Asked): Promise<Answer> {
  const { path, method = "GET", headers = {}, body, firstEvent = false } = asked;
  const outgoing = request({
    ...{ host: "127.0.0.1", port, path, method, agent: false },
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
  });
  outgoing.end(body);
  const [response, socket] = await Promise.race([
    once(outgoing, "response") as Promise<[IncomingMessage, undefined]>,
    once(outgoing, "upgrade") as Promise<[IncomingMessage, { destroy(): void }]>,
  ]);
  const { statusCode: status = 0 } = response;
  if (socket !== undefined) {
    socket.destroy();
    return { status, headers: response.headers, body: "" };
  }
  if (!firstEvent) return { status, headers: response.headers, body: await text(response) };
  let read = "";
  for await (const chunk of response) {
    read += String(chunk);
    if (firstEventIn(read) !== null) break;
  }
  return { status, headers: response.headers, body: read };
}

/** tRPC's events: `connected` says nothing, `ping` neither. */
function firstEventIn(read: string): { event: string; data: string } | null {
  for (const block of read.split("\n\n").slice(0, -1)) {
    const field = (name: string): string =>
      new RegExp(`^${name}: ?(.*)$`, "m").exec(block)?.[1] ?? "";
    const event = field("event");
    if (event !== "connected" && event !== "ping") return { event, data: field("data") };
  }
  return null;
}

function eventIn({ body }: Answer): Pick<Called, "data" | "failure"> {
  const first = firstEventIn(body);
  if (first === null) throw new Error(`the subscription said nothing: ${body}`);
  if (first.event !== "serialized-error") return { data: JSON.parse(first.data), failure: null };
  return { data: null, failure: failureIn(JSON.parse(first.data)) };
}

function jsonIn({ body }: Answer): Pick<Called, "data" | "failure"> {
  const parsed = JSON.parse(body) as { result?: { data: unknown }; error?: unknown };
  if (parsed.result !== undefined) return { data: parsed.result.data, failure: null };
  return { data: null, failure: failureIn(parsed.error) };
}

function failureIn(error: unknown): WireError {
  return WireError.parse((error as { data?: { oneloop?: unknown } }).data?.oneloop);
}
