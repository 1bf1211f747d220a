import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import type { SupervisorConfig } from "../../server/protocol/supervisor.ts";
import { supervisorMount } from "../../server/protocol/supervisor.ts";

/** What Docker gives a container whose image says nothing. */
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** A git and a shell for images that have none: after the image's own, which always win. */
const ownPrograms = `${supervisorMount}/bin`;

const fallbackUser = "oneloop";

/** What to start and how, ready for an exec call. */
export interface Program {
  /** An absolute path. */
  readonly file: string;
  readonly argv0: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A program that cannot start. `exitCode` as a shell reports it: 127 not found, 126 not executable. */
export class CannotStart extends Error {
  override readonly name = "CannotStart";
  readonly exitCode: 126 | 127;

  constructor(exitCode: 126 | 127, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

export interface ProgramRequest {
  /** `null`: the login shell. */
  readonly argv: readonly string[] | null;
  /** A line for the login shell's `-c`, when `argv` is null. */
  readonly shell?: string | null;
  readonly cwd: string | null;
  readonly env: Readonly<Record<string, string>>;
  /** A task's own variables: the devfile says them too, so the person's win over them. */
  readonly taskEnv?: Readonly<Record<string, string>> | undefined;
  /** The terminal's type, or `null` without one. */
  readonly term: string | null;
}

interface PasswdEntry {
  readonly name: string;
  readonly shell: string | null;
}

/** The world of what is started here; nothing of the supervisor's own environment is in it. */
export class Environment {
  readonly #config: Pick<SupervisorConfig, "cwd" | "home" | "shell" | "env">;
  readonly #passwdFile: string;
  #base: Readonly<Record<string, string>> | null = null;
  #person: Readonly<Record<string, string>> = {};
  #socket: string | null = null;
  #gitConfig: string | null = null;

  constructor(
    config: Pick<SupervisorConfig, "cwd" | "home" | "shell" | "env">,
    passwdFile = "/etc/passwd",
  ) {
    this.#config = config;
    this.#passwdFile = passwdFile;
  }

  /** The variables of whose workspace this is; they win over the image's and the devfile's. */
  setPerson(env: Readonly<Record<string, string>>): void {
    this.#person = env;
    this.#base = null;
  }

  /** Where programs reach the supervisor. */
  setSocket(path: string): void {
    this.#socket = path;
    this.#base = null;
  }

  /** What stands in for git's system configuration, where nobody has chosen another. */
  setGitConfig(file: string): void {
    this.#gitConfig = file;
    this.#base = null;
  }

  /** Whether the person wants no words at a login (login(1)). */
  hushed(): boolean {
    return exists(join(this.#config.home, ".hushlogin"));
  }

  /** @throws CannotStart when there is no such program. */
  program(request: ProgramRequest): Program {
    const shell = this.loginShell();
    const env: Record<string, string> = {
      ...this.#variables(),
      SHELL: shell,
      ...this.#withoutPersons(request.taskEnv ?? {}),
      ...request.env,
    };
    if (request.term !== null) env["TERM"] = request.term;
    const cwd = [request.cwd, this.#config.cwd, this.#config.home, "/"].find(
      (folder) => folder !== null && isAbsolute(folder) && isFolder(folder),
    );
    const where = { cwd: cwd ?? "/", env: { ...env, PWD: cwd ?? "/" } };
    if (request.argv !== null) {
      const [name = "", ...args] = request.argv;
      return { file: findProgram(name, where), argv0: name, args, ...where };
    }
    const line = request.shell ?? null;
    // As sshd does: `-c` without reading the profile.
    if (line !== null) return { file: shell, argv0: shell, args: ["-c", line], ...where };
    // No login shell (`-bash`): Debian's /etc/profile sets PATH anew, and what the image and the
    // supervisor's volume have in it (a toolchain, git) would be gone.
    return { file: shell, argv0: shell, args: [], ...where };
  }

  /**
   * The first that exists of: what the variable SHELL says (the person's own, the devfile's, the
   * image's), the user's own as the container says it now (chsh works), what its image said, bash,
   * sh, and Oneloop's.
   */
  loginShell(): string {
    const chosen = this.#person["SHELL"] ?? this.#config.env["SHELL"];
    const own = this.#passwdEntry()?.shell;
    const candidates = [chosen, own, this.#config.shell, "/bin/bash", "/bin/sh"];
    return (
      candidates.find((file) => typeof file === "string" && isAbsolute(file) && canRun(file)) ??
      `${ownPrograms}/sh`
    );
  }

  #withoutPersons(env: Readonly<Record<string, string>>): Record<string, string> {
    return Object.fromEntries(Object.entries(env).filter(([name]) => !(name in this.#person)));
  }

  #variables(): Readonly<Record<string, string>> {
    if (this.#base !== null) return this.#base;
    const { env, home } = this.#config;
    const user = this.#passwdEntry()?.name ?? fallbackUser;
    const chosen = { ...env, ...this.#person };
    const path = chosen["PATH"] ?? defaultPath;
    this.#base = {
      USER: user,
      LOGNAME: user,
      LANG: "C.UTF-8",
      ...chosen,
      HOME: home,
      PATH: path.split(":").includes(ownPrograms) ? path : `${path}:${ownPrograms}`,
      ...(this.#socket === null ? {} : { ONELOOP_SOCKET: this.#socket }),
      ...(this.#gitConfig === null || choosesGitConfig(chosen)
        ? {}
        : { GIT_CONFIG_SYSTEM: this.#gitConfig }),
    };
    return this.#base;
  }

  /** From the file itself: the image's C library is not ours, and a uid needs no entry. */
  #passwdEntry(): PasswdEntry | null {
    try {
      const uid = String(process.getuid?.() ?? 0);
      const lines = readFileSync(this.#passwdFile, "utf8").split("\n");
      const fields = lines.map((line) => line.split(":")).find((each) => each[2] === uid);
      if (fields === undefined) return null;
      return { name: fields[0] || fallbackUser, shell: fields[6] || null };
    } catch {
      return null;
    }
  }
}

function choosesGitConfig(env: Readonly<Record<string, string>>): boolean {
  return env["GIT_CONFIG_SYSTEM"] !== undefined || env["GIT_CONFIG_NOSYSTEM"] !== undefined;
}

/** As execvp(3) looks it up, but with words for what is wrong. */
function findProgram(
  name: string,
  { cwd, env }: { cwd: string; env: Readonly<Record<string, string>> },
): string {
  const places = name.includes("/")
    ? [resolve(cwd, name)]
    : (env["PATH"] ?? defaultPath).split(":").map((folder) => resolve(cwd, folder, name));
  const present = name === "" ? [] : places.filter((place) => exists(place));
  const found = present.find(canRun);
  if (found !== undefined) return found;
  if (present.length > 0) throw new CannotStart(126, `${name}: cannot be executed`);
  throw new CannotStart(127, `${name}: not found`);
}

function canRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
