import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { Failure } from "./failure.ts";

/** Who is signed in where. */
export interface Config {
  /** The control plane that commands talk to; absent: the one on this machine. */
  readonly url?: string;
  /** Control planes where the user was asked for name and address; once is enough. */
  readonly askedProfile?: readonly string[];
  /** By the control plane's URL, as `normalizeUrl` gives it. */
  readonly logins: Readonly<Record<string, Login>>;
}

export interface Login {
  readonly token: string;
  readonly user: string;
  /** Whose program the control plane was at the sign-in, where it is on this machine. */
  readonly uid?: number;
}

type Env = Readonly<Record<string, string | undefined>>;

/** `$ONELOOP_CONFIG_DIR`, else `$XDG_CONFIG_HOME/oneloop`, else `~/.config/oneloop`. */
export function configFolder(env: Env): string {
  if (env["ONELOOP_CONFIG_DIR"]) return env["ONELOOP_CONFIG_DIR"];
  return join(env["XDG_CONFIG_HOME"] || join(homedir(), ".config"), "oneloop");
}

const fileName = "config.json";

/** @throws Failure `bad-input` where the file is damaged; an absent one is an empty one. */
export async function readConfig(folder: string): Promise<Config> {
  const path = join(folder, fileName);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { logins: {} };
    throw error;
  }
  const config = parseConfig(text);
  if (config !== null) return config;
  throw new Failure("bad-input", `${path} is damaged. Remove it and run \`loop login\`.`);
}

function parseConfig(text: string): Config | null {
  try {
    const { url, askedProfile, logins = {} } = JSON.parse(text) as Partial<Config>;
    const sound =
      (url === undefined || typeof url === "string") &&
      (askedProfile === undefined || Array.isArray(askedProfile)) &&
      Object.values(logins).every(({ token, user }) => {
        return typeof token === "string" && typeof user === "string";
      });
    if (!sound) return null;
    return {
      ...(url === undefined ? {} : { url }),
      ...(askedProfile === undefined ? {} : { askedProfile }),
      logins,
    };
  } catch {
    return null;
  }
}

/** Whole or not at all, and never readable by others: the tokens are in it. */
export async function writeConfig(folder: string, config: Config): Promise<void> {
  if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined) {
    await chmod(folder, 0o700);
  }
  const path = join(folder, fileName);
  // Loaded here only: most commands write nothing.
  const { randomUUID } = await import("node:crypto");
  const mine = `${path}.${randomUUID()}`;
  try {
    await writeFile(mine, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600, flag: "wx" });
    await rename(mine, path);
  } finally {
    await rm(mine, { force: true });
  }
}

export const defaultUrl = "http://127.0.0.1:7700";

/**
 * The control plane's URL as it is dialled: `http://app.localhost:7700/x` → `http://127.0.0.1:7700`.
 * Browsers know that names below `localhost` are this machine; Node's resolver does not.
 *
 * @throws Failure `usage`
 */
export function normalizeUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new Failure("usage", `${text} is no URL of a control plane: give one as ${defaultUrl}.`);
  }
  if (url.hostname === "localhost" || url.hostname.endsWith(".localhost")) {
    url.hostname = "127.0.0.1";
  }
  return url.origin;
}

export function isLoopback(url: string): boolean {
  const { hostname } = new URL(url);
  return hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
