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
} from "./config-file.ts";
import { Failure, toFailure } from "./failure.ts";
import { listenerUids } from "./listener.ts";
import type { Output } from "./output.ts";

/** A control plane, and who we are to it. */
export class Session {
  readonly url: string;
  readonly folder: string;
  readonly #output: Output;
  readonly #env: NodeJS.ProcessEnv;

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
    const token = (await readConfig(this.folder)).logins[this.url]?.token ?? null;
    try {
      return await work(await createApi(this.url, token));
    } catch (error) {
      const failure = toFailure(error, this.url);
      const code = failure.code === "not-signed-in" ? await this.#codeOrNull() : null;
      if (code === null) throw failure;
      const user = await this.signIn(code);
      this.#output.note(`Signed in as ${user} with the code in this machine's data folder.`);
    }
    const fresh = (await readConfig(this.folder)).logins[this.url]?.token ?? null;
    try {
      return await work(await createApi(this.url, fresh));
    } catch (error) {
      throw toFailure(error, this.url);
    }
  }

  /** Spends a one-time code for a token, and keeps it. @returns the user's name. */
  async signIn(code: string): Promise<string> {
    const api = await createApi(this.url, null);
    try {
      const name = `loop on ${hostname()}`.slice(0, 100);
      const { token, user } = await api.auth.exchange.mutate({ code, kind: "token", name });
      if (token === null) throw new Failure("internal", "The control plane gave no token.");
      const config = await readConfig(this.folder);
      const logins = { ...config.logins, [this.url]: { token, user: user.name } };
      await writeConfig(this.folder, { ...config, url: this.url, logins });
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
      await (await createApi(this.url, login.token)).auth.signOut.mutate();
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
      await this.#mustBeListener(uid);
      return code.trim();
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
   * While the control plane is down, any program of this machine could listen in its place: the code
   * is for the user who keeps it, or root, and nobody else.
   */
  async #mustBeListener(uid: number): Promise<void> {
    const port = Number(new URL(this.url).port || 80);
    const stranger = (await listenerUids(port)).find((one) => one !== uid && one !== 0);
    if (stranger === undefined) return;
    throw new Failure(
      "forbidden",
      `Port ${port} is held by a program of user ${stranger}, which is not the control plane's: ` +
        "the sign-in code is not sent to it. See which program that is with `ss -ltnp`.",
    );
  }

  async #codeOrNull(): Promise<string | null> {
    if (!isLoopback(this.url)) return null;
    try {
      return await this.localCode();
    } catch (error) {
      if (error instanceof Failure && error.code === "forbidden") throw error;
      // Then the control plane's own sentence says what to do.
      return null;
    }
  }

  async #codePath(): Promise<string> {
    // Loaded here only: it brings zod, which takes longer than most commands.
    const { readSettings } = await import("../../server/util/settings.ts");
    return join(readSettings(this.#env).ONELOOP_DATA_DIR, "sign-in-code");
  }
}
