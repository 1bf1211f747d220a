import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Client } from "pg";
import { build } from "rolldown";
import { expect, onTestFinished, test } from "vitest";
import { applyMigrations } from "../../../server/db/migrate.ts";
import { postgresPaths, readPostmaster } from "../../../server/start/postgres-files.ts";
import { startPostgres, type RunningPostgres } from "../../../server/start/postgres.ts";
import { watchFolder } from "../../../server/start/watch-folder.ts";
import { systemExecer } from "../../../server/util/execer.ts";
import { enterableFolder, throwawayPostgres } from "../../helpers/postgres.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const execer = systemExecer;

async function makeFolder(): Promise<string> {
  const folder = await enterableFolder();
  onTestFinished(() => folder[Symbol.asyncDispose]());
  return join(folder.path, "postgres");
}

async function started(folder: string): Promise<RunningPostgres> {
  const server = await startPostgres(folder, { execer });
  onTestFinished(() => server.stop());
  return server;
}

async function ask(url: string, text: string): Promise<unknown> {
  const client = new Client({ connectionString: url });
  client.on("error", () => undefined);
  try {
    await client.connect();
    return Object.values((await client.query<Record<string, unknown>>(text)).rows[0] ?? {})[0];
  } finally {
    await client.end();
  }
}

test("a database is made once, and keeps its rows over an orderly stop", async () => {
  const folder = await makeFolder();
  const first = await started(folder);
  expect(first.adopted).toBe(false);
  await ask(first.url, "CREATE TABLE kept AS SELECT 'äß' AS word");
  await first.stop();
  expect(await readPostmaster(postgresPaths(folder))).toBeNull();

  const second = await started(folder);
  expect(second.adopted).toBe(false);
  expect(await ask(second.url, "SELECT word FROM kept")).toBe("äß");
  expect(await ask(second.url, "SHOW server_encoding")).toBe("UTF8");
  expect(await ask(second.url, "SHOW listen_addresses")).toBe("");
  expect(await ask(second.url, "SHOW fsync")).toBe("on");
  expect(await ask(second.url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")).toBe(
    false,
  );
});

test("a server whose owner was killed lives on, and is adopted as it is", async () => {
  const folder = await makeFolder();
  // Bundled, so that a plain Node can run it whether or not dist/ is built.
  const bundle = join(root, "node_modules/.cache/oneloop-test", `owner-${process.pid}.mjs`);
  onTestFinished(() => rm(bundle, { force: true }));
  await build({
    input: join(root, "test/helpers/postgres-owner.ts"),
    platform: "node",
    // All but what the bundler itself puts in for `using`, which Node 20 has not.
    external: (id) => /^[^./]/.test(id) && !id.startsWith("\0") && !id.startsWith("@oxc-project/"),
    logLevel: "silent",
    transform: { target: "node20" },
    output: { file: bundle },
  });
  const owner = spawn(process.execPath, [bundle, folder], {
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  const exit = once(owner, "exit");
  const [ready] = (await once(owner.stdout, "data")) as [Buffer];
  expect(ready.toString()).toContain("ready");
  const before = await readPostmaster(postgresPaths(folder));
  onTestFinished(async () => {
    // Where the adoption fails, nobody else ends it.
    const left = await readPostmaster(postgresPaths(folder));
    if (left !== null) process.kill(left.pid, "SIGINT");
  });
  // The whole process group, as Ctrl-C and a closed terminal do.
  process.kill(-(owner.pid ?? 0), "SIGKILL");
  await exit;

  const adopted = await started(folder);
  expect(adopted.adopted).toBe(true);
  expect((await readPostmaster(postgresPaths(folder)))?.pid).toBe(before?.pid);
  expect(await ask(adopted.url, "SELECT 1")).toBe(1);
});

test("what a killed server left behind does not hinder the next start", async () => {
  const folder = await makeFolder();
  const paths = postgresPaths(folder);
  const first = await started(folder);
  await ask(first.url, "CREATE TABLE kept AS SELECT 7 AS number");
  await first.stop();
  // As after a power cut and a reboot, where the number is another living process's.
  await writeFile(join(paths.data, "postmaster.pid"), `${process.pid}\n${paths.data}\n1\n5432\n`);
  await writeFile(join(paths.run, ".s.PGSQL.5432.lock"), `${process.pid}\n${paths.data}\n`);
  const second = await started(folder);
  expect(second.adopted).toBe(false);
  expect(await ask(second.url, "SELECT number FROM kept")).toBe(7);
});

test("a half-made data folder is made anew", async () => {
  const folder = await makeFolder();
  await mkdir(join(folder, "data.new", "base"), { recursive: true });
  const server = await started(folder);
  expect(await ask(server.url, "SELECT 1")).toBe(1);
});

test("a start during a shutdown waits for its end, and then starts", async () => {
  const folder = await makeFolder();
  const paths = postgresPaths(folder);
  const first = await started(folder);
  const postmaster = await readPostmaster(paths);
  const client = new Client({ connectionString: first.url });
  await client.connect();
  // A smart shutdown: it lasts as long as our connection.
  process.kill(postmaster?.pid ?? 0, "SIGTERM");
  await watchFolder(paths.data, {
    timeoutMs: 10_000,
    check: async () => (await readPostmaster(paths))?.status === "stopping" || undefined,
  });
  const starting = started(folder);
  await client.end();
  const second = await starting;
  expect(second.adopted).toBe(false);
  expect((await readPostmaster(paths))?.pid).not.toBe(postmaster?.pid);
  expect(await ask(second.url, "SELECT 1")).toBe(1);
});

test("data of another PostgreSQL version is refused, and left alone", async () => {
  const folder = await makeFolder();
  const paths = postgresPaths(folder);
  await mkdir(paths.data, { recursive: true });
  await writeFile(join(paths.data, "PG_VERSION"), "13\n");
  await expect(startPostgres(folder, { execer })).rejects.toThrow(/made by PostgreSQL 13/);
  expect(await readFile(join(paths.data, "PG_VERSION"), "utf8")).toBe("13\n");
});

/**
 * A client of one message (the protocol's StartupMessage), as source for `node -e`: it prints the
 * error's code, or the type of the server's first answer: R where it lets us in, E where not.
 */
const oneMessageClient = `
  const text = Buffer.from("user\\0oneloop\\0database\\0oneloop\\0\\0");
  const head = Buffer.alloc(8);
  head.writeInt32BE(text.length + 8);
  head.writeInt32BE(3 << 16, 4);
  const socket = require("node:net").connect(process.argv[1]);
  socket.on("connect", () => socket.write(Buffer.concat([head, text])));
  socket.on("data", (data) => { console.log(String.fromCharCode(data[0])); process.exit(); });
  socket.on("error", (error) => { console.log(error.code); process.exit(); });`;

test.runIf(process.getuid?.() === 0)("no other user of the machine can connect", async () => {
  const folder = await makeFolder();
  await started(folder);
  const run = join(folder, "run");
  const socket = join(run, ".s.PGSQL.5432");
  const connect = async (ids: { uid?: number; gid?: number }): Promise<string> => {
    const args = ["-e", oneMessageClient, socket];
    return (await execer.run(process.execPath, args, { ...ids, cwd: "/" })).stdout;
  };
  const nobody = { uid: 65534, gid: 65534 };
  expect(await connect({})).toBe("R");
  expect(await connect(nobody)).toBe("EACCES");

  // Nor where the folders let everybody pass: the server asks the kernel who is there.
  await chmod(folder, 0o755);
  await chmod(run, 0o755);
  expect(await connect(nobody)).toBe("EACCES");
  await chmod(socket, 0o777);
  expect(await connect(nobody)).toBe("E");
});

test.runIf(process.getuid?.() === 0)(
  "a folder that the database's user cannot enter is named",
  async () => {
    const folder = await makeFolder();
    const closed = join(folder, "closed");
    await mkdir(closed, { recursive: true, mode: 0o700 });
    await expect(startPostgres(join(closed, "postgres"), { execer })).rejects.toThrow(
      /cannot enter .*ONELOOP_DATA_DIR/,
    );
  },
);

test("two control planes bring one database to the schema, one after the other", async () => {
  await using database = await throwawayPostgres();
  const migrations = join(root, "migrations");
  await Promise.all([
    applyMigrations(database.url, migrations),
    applyMigrations(database.url, migrations),
  ]);
  const journal = JSON.parse(await readFile(join(migrations, "meta/_journal.json"), "utf8")) as {
    entries: unknown[];
  };
  expect(await ask(database.url, "SELECT count(*)::int FROM drizzle.__drizzle_migrations")).toBe(
    journal.entries.length,
  );
});
