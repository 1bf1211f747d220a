import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres } from "../../server/start/postgres.ts";
import { systemExecer } from "../../server/util/execer.ts";

export interface ThrowawayPostgres extends AsyncDisposable {
  readonly url: string;
}

/** A folder that the database's own user can enter, too; gone at the end. */
export async function enterableFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "ol-"));
  await chmod(path, 0o755);
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** A real, empty PostgreSQL of its own, without a schema; about 2 s to make. */
export async function throwawayPostgres(): Promise<ThrowawayPostgres> {
  const folder = await enterableFolder();
  try {
    const server = await startPostgres(join(folder.path, "postgres"), { execer: systemExecer });
    return {
      url: server.url,
      async [Symbol.asyncDispose]() {
        await server.stop();
        await folder[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}
