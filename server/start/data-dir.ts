import { randomUUID } from "node:crypto";
import { chmod, link, mkdir, readFile, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { OneloopError } from "../protocol/errors.ts";
import type { Ids } from "../util/ids.ts";
import type { Settings } from "../util/settings.ts";

export interface DataDir {
  /** Absolute. */
  readonly path: string;
  /** 8 characters of [a-z2-7], made once. */
  readonly installation: string;
  readonly secretKey: string;
}

const installationLength = 8;
/** `sun_path` of sockaddr_un has 108 bytes on Linux, of which one ends the text (unix(7)). */
const maxSocketPathBytes = 107;
/** The longest socket below the data folder. */
const longestSocket = "postgres/run/.s.PGSQL.5432";

/**
 * Makes the data folder and what identifies this installation in it. The folder itself may be
 * entered by all, because the database's own user has to pass; what is private has its own mode.
 *
 * @throws OneloopError `bad-input` where the folder cannot be used.
 */
export async function prepareDataDir(settings: Settings, ids: Ids): Promise<DataDir> {
  const path = settings.ONELOOP_DATA_DIR;
  const over = Buffer.byteLength(join(path, longestSocket)) - maxSocketPathBytes;
  if (over > 0) {
    throw new OneloopError(
      "bad-input",
      `The path of the data folder, ${path}, is ${over} bytes too long for the sockets in it. ` +
        "Set ONELOOP_DATA_DIR to a shorter one.",
    );
  }
  try {
    // Not below the caller's umask: with 077 the database's user could not pass.
    if ((await mkdir(path, { recursive: true })) !== undefined) await chmod(path, 0o755);
    else await mustBeOurs(path);
    const installation = await makeOnce(join(path, "installation"), {
      content: ids.id().slice(0, installationLength),
      mode: 0o644,
    });
    if (!/^[a-z2-7]{8}$/.test(installation)) {
      throw new OneloopError(
        "bad-input",
        `${join(path, "installation")} does not hold 8 characters of a-z and 2-7. ` +
          "Restore it: what this installation runs in the engine carries that name.",
      );
    }
    const secretKey =
      settings.ONELOOP_SECRET_KEY ??
      (await makeOnce(join(path, "secret-key"), { content: ids.secret(), mode: 0o600 }));
    return { path, installation, secretKey };
  } catch (error) {
    if (error instanceof OneloopError) throw error;
    throw new OneloopError(
      "bad-input",
      `The data folder ${path} cannot be used. Make it writable, or set ONELOOP_DATA_DIR to another.`,
      { cause: error },
    );
  }
}

/**
 * A folder that was there before us may be somebody's trap: whoever can write it decides which
 * secret key we use.
 *
 * @throws OneloopError `bad-input`
 */
async function mustBeOurs(path: string): Promise<void> {
  const { uid, mode } = await stat(path);
  const own = process.getuid?.() ?? uid;
  const advice = "or set ONELOOP_DATA_DIR to a folder of your own";
  if (uid !== own && uid !== 0) {
    throw new OneloopError(
      "bad-input",
      `The data folder ${path} belongs to user ${uid}, who could replace the secret key in it. ` +
        `Start Oneloop as that user, ${advice}.`,
    );
  }
  if ((mode & othersMayWrite) !== 0) {
    throw new OneloopError(
      "bad-input",
      `The data folder ${path} can be written by others, who could replace the secret key in it. ` +
        `Run \`chmod go-w ${path}\` if all in it is yours, ${advice}.`,
    );
  }
}

/** The bits of a mode by which group and others may write. */
const othersMayWrite = 0o022;

/** Returns the file's content; an absent file appears at once and whole, whoever comes first. */
async function makeOnce(
  path: string,
  { content, mode }: { content: string; mode: number },
): Promise<string> {
  const existing = await readOrNull(path);
  if (existing !== null) return existing.trim();
  const mine = `${path}.${randomUUID()}`;
  await writeFile(mine, `${content}\n`, { mode });
  try {
    await link(mine, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await unlink(mine);
  }
  return (await readFile(path, "utf8")).trim();
}

async function readOrNull(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
