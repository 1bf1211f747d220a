import { readFile, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { createApi, type Api } from "./api.ts";
import {
  configFolder,
  defaultUrl,
  isLoopback,
  normalizeUrl,
  readConfig,
  writeConfig,
  type Login,
} from "./config-file.ts";
import { Failure, toFailure } from "./failure.ts";
import { guardedConnection, type CreateConnection, type Guard } from "./guarded-connection.ts";
import type { Output } from "./output.ts";

/** -1 where the system has no users of this kind. */
const ownUid = process.getuid?.() ?? -1;

/** A control plane, and who we are to it. */
export class Session {
  readonly url: string;
  readonly folder: string;
  readonly #output: Output;
  readonly #env: NodeJS.ProcessEnv;
  /** The code of the data folder, and the only user beside root who may hear it. */
  #local: { readonly code: string; readonly uid: number } | null = null;

  private constructor(url: string, output: Output, env: NodeJS.ProcessEnv) {
    this.url = url;
    this.folder = configFolder(env);
    this.#output = output;
    this.#env = env;
  }

  /** @param url where the user named one; else `ONELOOP_URL`, the last login's, this machine's. */
  static async open(output: Output, url?: string): Promise<Session> {
    const { env } = process;
    const stored = (await readConfig(configFolder(env))).url;
    return new Session(
      normalizeUrl(url ?? (env["ONELOOP_URL"] || stored || defaultUrl)),
      output,
      env,
    );
  }

  /**
   * Does `work` with a signed-in client. On the control plane's own machine, the owner of its data
   * folder is signed in by the code that is kept there, once.
   *
   * @throws Failure
   */
  async run<Result>(work: (api: Api) => Promise<Result>): Promise<Result> {
    try {
      return await work(await this.#signedIn());
    } catch (error) {
      const failure = toFailure(error, this.url);
      const code = failure.code === "not-signed-in" ? await this.#codeOrNull() : null;
      if (code === null) throw failure;
      const user = await this.signIn(code);
      this.#output.note(`Signed in as ${user} with the code in this machine's data folder.`);
    }
    try {
      return await work(await this.#signedIn());
    } catch (error) {
      throw toFailure(error, this.url);
    }
  }

  /** Spends a one-time code for a token, and keeps it. @returns the user's name. */
  async signIn(code: string): Promise<string> {
    let uid: number | undefined;
    const guard: Guard = async (uids) => {
      if (code === this.#local?.code) this.#mustBeAmong(uids, [0, this.#local.uid], "sign-in code");
      uid = this.#mustBeOne(uids, "sign-in code");
    };
    const api = await createApi(this.url, null, this.#guarded(guard));
    try {
      const name = `loop on ${hostname()}`.slice(0, 100);
      const { token, user } = await api.auth.exchange.mutate({ code, kind: "token", name });
      if (token === null) throw new Failure("internal", "The control plane gave no token.");
      const config = await readConfig(this.folder);
      const login = { token, user: user.name, ...(uid === undefined ? {} : { uid }) };
      const logins = { ...config.logins, [this.url]: login };
      await writeConfig(this.folder, { ...config, url: this.url, logins });
      if (uid !== undefined && uid !== 0 && uid !== ownUid) {
        this.#output.note(
          `The control plane is a program of user ${uid}: from now on your token goes to theirs only.`,
        );
      }
      return user.name;
    } catch (error) {
      throw toFailure(error, this.url);
    }
  }

  /** Ends the token here and at the control plane. @returns false where nobody was signed in. */
  async signOut(): Promise<boolean> {
    const config = await readConfig(this.folder);
    const { [this.url]: login, ...logins } = config.logins;
    if (login === undefined) return false;
    await writeConfig(this.folder, { ...config, logins });
    try {
      const api = await createApi(this.url, login.token, this.#guarded(this.#guardOf(login)));
      await api.auth.signOut.mutate();
    } catch (error) {
      const failure = toFailure(error, this.url);
      if (failure.code !== "not-signed-in") {
        this.#output.note(`The token is removed here, but not there: ${failure.message}`);
      }
    }
    return true;
  }

  /** @throws Failure where the data folder's code cannot be read. */
  async localCode(): Promise<string> {
    if (!isLoopback(this.url)) {
      throw new Failure("usage", `${this.url} is another machine: leave --local away.`);
    }
    const path = await this.#codePath();
    try {
      const [code, { uid }] = await Promise.all([readFile(path, "utf8"), stat(path)]);
      this.#local = { code: code.trim(), uid };
      return this.#local.code;
    } catch (error) {
      if (error instanceof Failure) throw error;
      const { code } = error as NodeJS.ErrnoException;
      throw new Failure(
        "bad-input",
        code === "ENOENT"
          ? `There is no ${path}. Start the control plane with \`npm start\`, or set ` +
              "ONELOOP_DATA_DIR to its data folder."
          : `${path} cannot be read (${code ?? "unknown"}): only the user who runs the control ` +
              "plane may. Run `loop login` with the code of its sign-in link.",
        { cause: error },
      );
    }
  }

  /**
   * The stored token, and how a connection is made that it may be said on.
   *
   * @throws Failure `not-signed-in`
   */
  async credentials(): Promise<{ token: string; createConnection: CreateConnection | undefined }> {
    const login = (await readConfig(this.folder)).logins[this.url];
    if (login === undefined) {
      throw new Failure(
        "not-signed-in",
        `You are not signed in at ${this.url}. Run \`loop login\`.`,
      );
    }
    const guard = this.#guarded(this.#guardOf(login));
    return {
      token: login.token,
      createConnection: guard === undefined ? undefined : guardedConnection(guard),
    };
  }

  /** A client with the stored token, which goes to the control plane's own user only. */
  async #signedIn(): Promise<Api> {
    const login = (await readConfig(this.folder)).logins[this.url];
    if (login === undefined) return createApi(this.url, null);
    return createApi(this.url, login.token, this.#guarded(this.#guardOf(login)));
  }

  /**
   * On this machine any user's program could listen while the control plane is down: what is secret
   * is said only after a look at whose program has the connection. Elsewhere TLS vouches for it.
   */
  #guarded(guard: Guard): Guard | undefined {
    return isLoopback(this.url) && this.url.startsWith("http:") ? guard : undefined;
  }

  /** Root and this user could read the token anyway; else whose control plane it came from. */
  #guardOf(login: Login): Guard {
    return async (uids) => {
      const known = [0, ownUid, ...(login.uid === undefined ? [] : [login.uid])];
      if (uids.length > 0 && uids.every((uid) => known.includes(uid))) return;
      const keeper = await this.#keeperOfCode();
      this.#mustBeAmong(uids, keeper === null ? known : [...known, keeper], "token");
    };
  }

  #mustBeOne(uids: readonly number[], secret: string): number {
    const [uid] = uids;
    if (uid !== undefined && uids.length === 1) return uid;
    throw this.#refusal(uids, secret);
  }

  #mustBeAmong(uids: readonly number[], allowed: readonly number[], secret: string): void {
    if (uids.length > 0 && uids.every((uid) => allowed.includes(uid))) return;
    throw this.#refusal(uids, secret);
  }

  #refusal(uids: readonly number[], secret: string): Failure {
    const { port } = new URL(this.url);
    const whose = uids.length === 0 ? "nobody on this machine" : `user ${uids.join(", ")}`;
    return new Failure(
      "forbidden",
      `Port ${port || 80} is held by a program of ${whose}, and not by the control plane that you ` +
        `know: your ${secret} is not sent to it. \`ss -ltnp\` names that program. If it is a ` +
        "control plane that you trust, sign in again: `loop login`.",
    );
  }

  /** The owner of the data folder's code; null where there is none. Its text need not be readable. */
  async #keeperOfCode(): Promise<number | null> {
    try {
      return (await stat(await this.#codePath())).uid;
    } catch {
      return null;
    }
  }

  async #codeOrNull(): Promise<string | null> {
    if (!isLoopback(this.url)) return null;
    try {
      return await this.localCode();
    } catch {
      // Then the control plane's own sentence says what to do.
      return null;
    }
  }

  async #codePath(): Promise<string> {
    // Loaded here only: it brings zod, which takes longer than most commands.
    const { readDataDir } = await import("../../server/util/settings.ts");
    return join(readDataDir(this.#env), "sign-in-code");
  }
}
