import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { createApi } from "./api/http.ts";
import { AppHosts } from "./api/origin.ts";
import { Accounts } from "./auth/accounts.ts";
import { GrantSigner } from "./auth/grants.ts";
import { LiveConnections } from "./auth/live.ts";
import { keepLocalCode } from "./auth/local-code.ts";
import { People } from "./auth/people.ts";
import { SshCodes } from "./auth/ssh-codes.ts";
import { UserSettings } from "./auth/user-settings.ts";
import { Vault } from "./auth/vault.ts";
import { AccountStore } from "./db/accounts.ts";
import { Database, databaseFailure } from "./db/database.ts";
import { EnvironmentStore } from "./db/environments.ts";
import { SshCodeStore } from "./db/ssh-codes.ts";
import { UserSettingsStore } from "./db/user-settings.ts";
import { RegistryImageStore } from "./db/registry-images.ts";
import { ServiceStore } from "./db/workspace-services.ts";
import { WorkspaceStore, type WorkspaceRow } from "./db/workspaces.ts";
import { trustEnvironment } from "./engine/docker/images/trust.ts";
import { createDockerEngine, type DockerEngineOptions } from "./engine/docker/index.ts";
import type { Engine } from "./engine/engine.ts";
import { parsePortHost, portOrigin } from "./ports/hostname.ts";
import { portCodes } from "./proxy/port-code.ts";
import { createPortProxy } from "./proxy/port-proxy.ts";
import { portRights } from "./proxy/port-rights.ts";
import { Repositories } from "./repo/repositories.ts";
import { ensureHostKeys } from "./ssh/host-keys.ts";
import { startSshGateway } from "./ssh/gateway.ts";
import { refusals } from "./ssh/refusal.ts";
import { Supervisors } from "./terminals/supervisors.ts";
import { TerminalService } from "./terminals/terminal-service.ts";
import { systemClock } from "./util/clock.ts";
import type { ControlPlaneOptions, RunningControlPlane } from "./util/control-plane-options.ts";
import { Counters } from "./util/counters.ts";
import { deadline } from "./util/deadline.ts";
import { listenHttp } from "./util/http-doors.ts";
import { randomIds } from "./util/ids.ts";
import { Lifetime } from "./util/lifetime.ts";
import { collectWhenQuiet } from "./util/quiet-collector.ts";
import { caFileOf } from "./util/settings.ts";
import { ConfinedFetch } from "./workspaces/confined-fetch.ts";
import { ConfinedKustomize } from "./workspaces/confined-kustomize.ts";
import { Environments } from "./workspaces/environments.ts";
import { imageReader } from "./workspaces/image-reader.ts";
import { Inside } from "./workspaces/inside.ts";
import { Mirrors } from "./workspaces/mirror/mirrors.ts";
import type { ReadArchive } from "./workspaces/mirror/service-files.ts";
import { valuesOf } from "./workspaces/mirror/values.ts";
import { Reconciler } from "./workspaces/reconciler.ts";
import { SandboxPool } from "./workspaces/sandbox-pool.ts";
import { ConfinedGit } from "./workspaces/repository-cache.ts";
import { TaskNews } from "./workspaces/task-news.ts";
import { Workspaces } from "./workspaces/workspaces.ts";

/** The only machine there is yet; every workspace names it. */
const machineId = "local";
/** A stopped workspace that a login starts; beyond this the login fails and says so. */
const loginStartMs = 10 * 60 * 1000;

/** Wires the parts and starts the control plane; disposing ends it in the reverse order. */
export async function runControlPlane(
  options: ControlPlaneOptions,
  createEngine: (options: DockerEngineOptions) => Promise<Engine> = createDockerEngine,
): Promise<RunningControlPlane> {
  const { settings, log, images, secretKey, onPhase } = options;
  const clock = systemClock;
  const ids = randomIds;
  const lifetime = new Lifetime();
  try {
    lifetime.own(collectWhenQuiet());
    const database = lifetime.own(await Database.connect(options.databaseUrl, log));
    const accountStore = new AccountStore(database);
    const accounts = new Accounts(accountStore, { clock, ids });
    const codesEnabled = settings.ONELOOP_SSH_CODES === "on";
    const sshCodes = new SshCodes(new SshCodeStore(database), {
      ...{ enabled: codesEnabled, clock, ids },
    });
    const live = lifetime.own(
      new LiveConnections({
        revocations: database,
        thoseThere: (ids) => accountStore.thoseThere(ids, new Date(clock.now())),
        log,
      }),
    );
    const vault = new Vault(secretKey);
    const userSettings = new UserSettings(new UserSettingsStore(database), { vault, clock, ids });
    const store = new WorkspaceStore(database);

    const engine = lifetime.own(
      await createEngine({
        dockerHost: settings.DOCKER_HOST,
        installation: options.installation,
        images,
        subnets: settings.ONELOOP_SUBNETS,
        allowNet: settings.ONELOOP_ALLOW_NET,
        isolation: settings.ONELOOP_ISOLATION,
        knownImages: new RegistryImageStore(database),
        givenImages: Object.values(settings.ONELOOP_IMAGE_MAP),
        log,
      }),
    );
    const signer = new GrantSigner(secretKey, { clock, ids });
    const supervisors = new Supervisors(engine, signer);
    const git = new ConfinedGit(engine, supervisors, {
      helperImage: images.helper,
      publicKey: signer.publicKey,
    });

    const http = await listenHttp(lifetime, settings.ONELOOP_HOST, settings.ONELOOP_PORT);
    const domain = settings.ONELOOP_DOMAIN;
    const publicUrl = (settings.ONELOOP_PUBLIC_URL ?? `http://app.${domain}:${http.port}`).replace(
      /\/$/,
      "",
    );

    await store.ensureMachine({ id: machineId, name: "this machine", engine: engine.kind });
    const address = { publicUrl, domain, sshHost: domain, sshPort: settings.ONELOOP_SSH_PORT };
    const tasks = new TaskNews();
    const inside = lifetime.own(
      new Inside({
        ...{ store, settings: userSettings, supervisors, tasks, address, secretKey, clock, log },
      }),
    );
    const repositories = new Repositories(git);
    const services = new ServiceStore(database);
    const readerOf = (row: WorkspaceRow) => imageReader(userSettings, row);
    const archive: ReadArchive = (which, signal) => repositories.archive(which, signal);
    const mirrors = lifetime.own(
      new Mirrors({
        engine,
        store,
        services,
        supervisors,
        archive,
        values: (row) => valuesOf({ settings: userSettings, secretKey }, row),
        watch: (owner, folders) => inside.watch(owner, folders),
        onStarted: () => pool.refill(),
        readerOf,
        log,
      }),
    );
    inside.onFilesOf = (id, files) => mirrors.filesChanged(id, files);
    const reconciler = lifetime.own(
      new Reconciler({
        store,
        engine,
        supervisors,
        signer,
        log,
        inside: {
          tellSetup: (row) => inside.tellSetup(row),
          networkReady: (row) => mirrors.networkReady(row),
          running: (row) => {
            inside.running(row);
            mirrors.running(row);
          },
          ended: async (id) => {
            // First: nothing is started again of what ends now.
            await mirrors.ended(id);
            await inside.ended(id);
          },
        },
        onMirrored: (id, service) => mirrors.changed(id, service),
        holder: options.installation,
        environmentOf: (row) => ({
          env: workspaceEnvironment(row, publicUrl, domain),
          defaults: images.trustId === null ? {} : trustEnvironment,
        }),
        archive,
        readerOf,
        onPhase,
      }),
    );

    const pool = lifetime.own(
      new SandboxPool({
        ...{ store, engine, ids, log, holder: options.installation, onPhase },
        spares: settings.ONELOOP_SPARE_SANDBOXES,
      }),
    );
    const hostKeys = await ensureHostKeys(settings.ONELOOP_DATA_DIR);
    const environments = new Environments(new EnvironmentStore(database), { ids });
    const workspaces = new Workspaces({
      store,
      database,
      engine,
      supervisors,
      reconciler,
      mirrors,
      services,
      tasks,
      environments,
      images: settings.ONELOOP_IMAGE_MAP,
      address,
      repositories,
      fetch: new ConfinedFetch({
        allowNet: settings.ONELOOP_ALLOW_NET,
        caFile: caFileOf(settings),
      }),
      kustomize: new ConfinedKustomize(engine),
      pool,
      settings: userSettings,
      ids,
      machineId,
      fileRoots: settings.ONELOOP_FILE_ROOTS ?? (isLoopback(settings.ONELOOP_HOST) ? null : []),
      onPhase,
    });

    inside.serve(workspaces);
    userSettings.onChange = (userId) =>
      void inside
        .tellAll(userId)
        .catch((error: unknown) => log.warn({ err: error }, "workspaces were not told"));

    const terminals = new TerminalService(supervisors, engine);
    const counters = new Counters();
    const sshRefusals = counters.counter("oneloop_ssh_refusals_total", {
      help: "What the SSH gateway refused.",
      label: "reason",
      reasons: refusals,
    });
    const ssh = lifetime.own(
      await startSshGateway({
        host: settings.ONELOOP_HOST,
        port: settings.ONELOOP_SSH_PORT,
        hostKeys,
        banner: settings.ONELOOP_SSH_BANNER,
        authenticate: ({ blob }) => orDatabaseFailure(accounts.userOfKey(blob)),
        ...(codesEnabled
          ? { spendCode: (typed: string) => orDatabaseFailure(sshCodes.spend(typed)) }
          : {}),
        live,
        resolve: async (userId, login, { onWait, signal: gone }) => {
          using limit = deadline(gone, loginStartMs);
          const waiting = { signal: limit.signal, onWait };
          const place = await orDatabaseFailure(workspaces.logIn(userId, login, waiting));
          return { ...place, name: login };
        },
        changes: database,
        // A service's container is production's: nothing of ours is printed there.
        describe: async ({ actor, owner, service = null }) =>
          service === null ? workspaces.summary({ id: actor }, owner.id) : null,
        terminals: (target) => terminals.list(target),
        supervisors,
        log,
        onRefusal: (reason) => sshRefusals.add(reason),
      }),
    );
    address.sshPort = ssh.port;

    const authorize = portRights({ accounts, store });
    const proxy = lifetime.own(
      createPortProxy({
        domain,
        publicUrl,
        authorize,
        live,
        changes: database,
        supervisors,
        secretKey,
        clock,
        ids,
        log,
      }),
    );
    const codeFor = portCodes({ proxy, authorize, publicUrl, domain });
    const api = createApi({
      services: {
        accounts,
        people: new People(accountStore, { accounts, clock, ids }),
        sshCodes,
        live,
        settings: userSettings,
        workspaces,
        environments,
        terminals,
        config: { version: "0.1.0", ...address, sshCodes: codesEnabled },
        log,
      },
      supervisors,
      hosts: new AppHosts(publicUrl, domain),
      webFolder: join(options.root, "dist", "web"),
      portSignIn: ({ id, tokenId }, to) => codeFor({ userId: id, tokenId }, to),
      sshDoor: (stream, ends) => ssh.serve(stream, ends),
      counters,
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

/** For who tells a user why: what a query throws says nothing to him. */
async function orDatabaseFailure<Result>(asked: Promise<Result>): Promise<Result> {
  try {
    return await asked;
  } catch (error) {
    throw databaseFailure(error) ?? error;
  }
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
