import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { createApi } from "./api/http.ts";
import { AppHosts } from "./api/origin.ts";
import { Accounts } from "./auth/accounts.ts";
import { GrantSigner } from "./auth/grants.ts";
import { keepLocalCode } from "./auth/local-code.ts";
import { AccountStore } from "./db/accounts.ts";
import { Database } from "./db/database.ts";
import { WorkspaceStore, type WorkspaceRow } from "./db/workspaces.ts";
import { createDockerEngine } from "./engine/docker/index.ts";
import { supervisorMount } from "./protocol/supervisor.ts";
import { parsePortHost, parsePortUrl, portOrigin } from "./ports/hostname.ts";
import { createPortProxy } from "./proxy/port-proxy.ts";
import { Repositories } from "./repo/repositories.ts";
import { ensureHostKeys } from "./ssh/host-keys.ts";
import { startSshGateway } from "./ssh/gateway.ts";
import { Supervisors } from "./terminals/supervisors.ts";
import { TerminalService } from "./terminals/terminal-service.ts";
import { systemClock } from "./util/clock.ts";
import type { ControlPlaneOptions, RunningControlPlane } from "./util/control-plane-options.ts";
import { randomIds } from "./util/ids.ts";
import { Lifetime } from "./util/lifetime.ts";
import { spliceHighWaterMarkBytes } from "./util/splice.ts";
import { Reconciler } from "./workspaces/reconciler.ts";
import { SandboxPool } from "./workspaces/sandbox-pool.ts";
import { ConfinedGit } from "./workspaces/repository-cache.ts";
import { Workspaces } from "./workspaces/workspaces.ts";

/** The only machine there is yet; every workspace names it. */
const machineId = "local";
/** A stopped workspace that a login starts; beyond this the login fails and says so. */
const loginStartMs = 10 * 60 * 1000;

/** Wires the parts and starts the control plane; disposing ends it in the reverse order. */
export async function runControlPlane(options: ControlPlaneOptions): Promise<RunningControlPlane> {
  const { settings, log, images, secretKey } = options;
  const clock = systemClock;
  const ids = randomIds;
  const lifetime = new Lifetime();
  try {
    const database = lifetime.own(await Database.connect(options.databaseUrl, log));
    const accounts = new Accounts(new AccountStore(database), { clock, ids });
    const store = new WorkspaceStore(database);

    const engine = lifetime.own(
      await createDockerEngine({
        dockerHost: settings.DOCKER_HOST,
        installation: options.installation,
        images,
        subnets: settings.ONELOOP_SUBNETS,
        allowNet: settings.ONELOOP_ALLOW_NET,
        isolation: settings.ONELOOP_ISOLATION,
        log,
      }),
    );
    const signer = new GrantSigner(secretKey, { clock, ids });
    const supervisors = new Supervisors(engine, signer);
    const git = new ConfinedGit(engine, supervisors, {
      helperImage: images.helper,
      publicKey: signer.publicKey,
    });

    const http = await listen(lifetime, settings.ONELOOP_HOST, settings.ONELOOP_PORT);
    const domain = settings.ONELOOP_DOMAIN;
    const publicUrl = (settings.ONELOOP_PUBLIC_URL ?? `http://app.${domain}:${http.port}`).replace(
      /\/$/,
      "",
    );

    await store.ensureMachine({ id: machineId, name: "this machine", engine: engine.kind });
    const reconciler = lifetime.own(
      new Reconciler({
        store,
        engine,
        supervisors,
        signer,
        log,
        holder: options.installation,
        environmentOf: (row) => ({
          env: workspaceEnvironment(row, publicUrl, domain),
          defaults: images.ownCertificates ? trustEnvironment : {},
        }),
      }),
    );

    const pool = lifetime.own(
      new SandboxPool({ store, engine, ids, log, holder: options.installation }),
    );
    const hostKeys = await ensureHostKeys(settings.ONELOOP_DATA_DIR);
    const address = { publicUrl, domain, sshHost: domain, sshPort: settings.ONELOOP_SSH_PORT };
    const workspaces = new Workspaces({
      store,
      database,
      engine,
      reconciler,
      address,
      repositories: new Repositories(git),
      pool,
      ids,
      machineId,
      fileRoots: settings.ONELOOP_FILE_ROOTS ?? (isLoopback(settings.ONELOOP_HOST) ? null : []),
    });

    const ssh = lifetime.own(
      await startSshGateway({
        host: settings.ONELOOP_HOST,
        port: settings.ONELOOP_SSH_PORT,
        hostKeys,
        authenticate: ({ blob }) => accounts.userOfKey(blob),
        resolve: async (userId, login) => {
          const signal = AbortSignal.timeout(loginStartMs);
          return { ...(await workspaces.ensureRunning(userId, login, signal)), name: login };
        },
        supervisors,
        log,
      }),
    );
    address.sshPort = ssh.port;

    const proxy = lifetime.own(
      createPortProxy({
        domain,
        publicUrl,
        authorize: async ({ userId }, name) => {
          const found = await workspaces.find(userId, name);
          return found === null ? null : { owner: found.owner, actor: userId };
        },
        supervisors,
        secretKey,
        clock,
        ids,
        log,
      }),
    );
    const api = createApi({
      services: {
        accounts,
        workspaces,
        terminals: new TerminalService(supervisors),
        config: { version: "0.1.0", ...address },
        log,
      },
      supervisors,
      hosts: new AppHosts(publicUrl, domain),
      webFolder: join(options.root, "dist", "web"),
      portSignIn: (userId, to) =>
        parsePortUrl(to, new URL(publicUrl), domain) === null
          ? null
          : proxy.mintCode(userId, to.host),
    });

    const doorOf = (request: IncomingMessage) =>
      parsePortHost(request.headers.host ?? "", domain) === null ? api : proxy;
    http.serve({
      request: (request, response) => doorOf(request).handleRequest(request, response),
      upgrade: (request, socket, head) => doorOf(request).handleUpgrade(request, socket, head),
    });

    const owner = await accounts.ensureOwner(process.env["USER"] ?? "owner");
    await accounts.forgetOldCodes();
    await keepLocalCode(accounts, { dataDir: settings.ONELOOP_DATA_DIR, userId: owner.id });
    const code = await accounts.issueCode(owner.id, "link");
    // What cannot be cleared now is found again at the next start.
    await pool
      .clear()
      .catch((error: unknown) => log.warn({ err: error }, "prepared workspaces were not cleared"));
    await reconciler.start();
    // The first open would wait for it; a failure is said there, where somebody is waiting.
    void git
      .ensureStarted()
      .catch((error: unknown) => log.warn({ err: error }, "no repository cache"))
      .then(() => pool.refill());

    return {
      url: publicUrl,
      signInLink: `${publicUrl}/sign-in#${code}`,
      [Symbol.asyncDispose]: () => lifetime[Symbol.asyncDispose](),
    };
  } catch (error) {
    await lifetime[Symbol.asyncDispose]();
    throw error;
  }
}

interface Doors {
  readonly request: (request: IncomingMessage, response: ServerResponse) => void;
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/**
 * Listens at once, so that the port is known; requests wait for `serve`. On a loopback address both
 * 127.0.0.1 and ::1 are taken: browsers try both for `*.localhost`, and nobody else shall answer.
 */
async function listen(
  lifetime: Lifetime,
  host: string,
  wanted: number,
): Promise<{ port: number; serve(doors: Doors): void }> {
  const options = { highWaterMark: spliceHighWaterMarkBytes };
  const servers: Server[] = [createServer(options)];
  const [first] = servers as [Server];
  const port = await bind(first, host, wanted);
  if (host === "127.0.0.1") {
    const second = createServer(options);
    // A machine without IPv6 has no ::1 that somebody else could take.
    if (await bind(second, "::1", port).catch(() => null)) servers.push(second);
  }
  lifetime.defer(() =>
    Promise.all(
      servers.map(
        (server) =>
          new Promise<void>((resolve) => {
            server.close(() => resolve());
            server.closeAllConnections();
          }),
      ),
    ),
  );
  return {
    port,
    serve: (doors) => {
      for (const server of servers) {
        server.on("request", doors.request);
        server.on("upgrade", doors.upgrade);
      }
    },
  };
}

function bind(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function isLoopback(host: string): boolean {
  return host === "127.0.0.1" || host === "::1" || host === "localhost";
}

/** What every program in a workspace can know of it. */
function workspaceEnvironment(
  row: WorkspaceRow,
  publicUrl: string,
  domain: string,
): Record<string, string> {
  const first = { port: 1, service: null, workspace: row.name };
  const origin = portOrigin(first, new URL(publicUrl), domain);
  return {
    ONELOOP_WORKSPACE_ID: row.id,
    ONELOOP_WORKSPACE_NAME: row.name,
    ONELOOP_WORKSPACE_URL: `${publicUrl}/workspaces/${row.name}`,
    ONELOOP_PORT_URL_TEMPLATE: origin.replace("//1-", "//{port}-"),
  };
}

/** The variables by which programs that do not read the image's own store are told whom to trust. */
const trustEnvironment: Readonly<Record<string, string>> = Object.fromEntries(
  [
    ...["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE"],
    ...["REQUESTS_CA_BUNDLE", "PIP_CERT", "CARGO_HTTP_CAINFO", "AWS_CA_BUNDLE"],
  ].map((name) => [name, `${supervisorMount}/etc/ca-certificates.crt`]),
);
