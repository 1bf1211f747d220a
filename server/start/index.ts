import { join } from "node:path";
import Docker from "dockerode";
import { applyMigrations } from "../db/migrate.ts";
import { ensureImages } from "../engine/docker/images/index.ts";
import type { OneloopImages } from "../util/control-plane-options.ts";
import { systemExecer } from "../util/execer.ts";
import { randomIds } from "../util/ids.ts";
import { Lifetime } from "../util/lifetime.ts";
import { createLog } from "../util/log.ts";
import { caFileOf, type Settings } from "../util/settings.ts";
import { crashOnPhase } from "./crash.ts";
import { prepareDataDir, type DataDir } from "./data-dir.ts";
import { dockerSocketPath, ensureDocker } from "./docker.ts";
import { lockDataDir } from "./lock.ts";
import { startPostgres } from "./postgres.ts";
import { settingsOfStart } from "./settings.ts";
import type { Steps } from "./types.ts";

export interface StartOptions {
  /** The checkout. */
  readonly root: string;
  readonly steps: Steps;
  /** Ask nothing; do what is needed, and say so. */
  readonly yes: boolean;
}

/**
 * Everything from the built checkout to a running control plane, and its end in order: the second
 * half of `npm start`. Resolves when the control plane has ended because of SIGINT or SIGTERM.
 */
export async function start({ root, steps, yes }: StartOptions): Promise<void> {
  const signal = endOnSignals();
  const settings = settingsOfStart(process.env);
  await using lifetime = new Lifetime();
  const data = await steps.run("Data folder", async ({ note }) => {
    const prepared = await prepareDataDir(settings, randomIds);
    lifetime.own(await lockDataDir(prepared.path));
    note(prepared.path);
    return prepared;
  });

  const context: Context = { root, steps, yes, settings, data, lifetime, signal };
  // Loading its modules takes a while that the database and the engine take, too.
  const main = import("../main.ts");
  main.catch(() => undefined);
  // Neither waits for the other; and where one fails, the other has ended before we clean up.
  const [database, engine] = await Promise.allSettled([
    prepareDatabase(context),
    prepareEngine(context),
  ]);
  if (engine.status === "rejected") throw engine.reason;
  if (database.status === "rejected") throw database.reason;

  const running = await steps.run("Control plane", async () => {
    const { runControlPlane } = await main;
    return runControlPlane({
      settings,
      installation: data.installation,
      secretKey: data.secretKey,
      databaseUrl: database.value,
      images: engine.value,
      root,
      signal,
      log: createLog({ level: settings.ONELOOP_LOG_LEVEL }),
      onPhase: crashOnPhase(process.env),
    });
  });
  lifetime.own(running);
  steps.print(
    [
      "",
      `  Oneloop runs at ${running.url}`,
      `  Sign in, once:  ${running.signInLink}`,
      "  Then try:       npx loop open <repository URL>",
      "",
    ].join("\n"),
  );
  await aborted(signal);
  steps.print("Ending. Workspaces go on running.");
}

interface Context extends StartOptions {
  readonly settings: Settings;
  readonly data: DataDir;
  readonly lifetime: Lifetime;
  readonly signal: AbortSignal;
}

/** @returns the database's URL, migrated. */
async function prepareDatabase({
  root,
  steps,
  settings,
  data,
  lifetime,
}: Context): Promise<string> {
  let url = settings.DATABASE_URL;
  if (url === undefined) {
    const postgres = await steps.run("PostgreSQL", async ({ note }) => {
      const started = await startPostgres(join(data.path, "postgres"), { execer: systemExecer });
      note(started.adopted ? "adopted, as it was left running" : "started");
      return started;
    });
    lifetime.defer(() => postgres.stop());
    url = postgres.url;
  }
  const migrated = url;
  await steps.run("Migrations", () => applyMigrations(migrated, join(root, "migrations")));
  return url;
}

async function prepareEngine(context: Context): Promise<OneloopImages> {
  const { root, steps, yes, settings, data, signal } = context;
  await steps.run("Docker engine", async ({ say, note }) => {
    note(
      await ensureDocker({
        dockerHost: settings.DOCKER_HOST,
        execer: systemExecer,
        logFile: join(data.path, "dockerd", "dockerd.log"),
        yes,
        ask: steps.ask,
        say,
      }),
    );
  });
  return steps.run("Images", ({ say }) =>
    ensureImages({
      docker: new Docker({ socketPath: dockerSocketPath(settings.DOCKER_HOST) }),
      installation: data.installation,
      settings: { baseImage: settings.ONELOOP_BASE_IMAGE, caFile: caFileOf(settings) },
      execer: systemExecer,
      root,
      onProgress: say,
      signal,
    }),
  );
}

/** The exit status of a process that a second signal ended; shells give 128 + SIGINT. */
const interruptedExitCode = 130;

/** The first SIGINT or SIGTERM asks for an end in order, a second one ends at once. */
function endOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(interruptedExitCode);
      controller.abort(new Error(`ended by ${name}`));
    });
  }
  return controller.signal;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
