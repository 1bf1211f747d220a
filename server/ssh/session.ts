import type { ServerChannel, Session } from "ssh2";
import { toOneloopError } from "../protocol/errors.ts";
import type { ExecRequest } from "../protocol/supervisor.ts";
import type { ExecStream } from "../terminals/exec-stream.ts";
import type { AgentForwarding } from "./agent.ts";
import { chooseTerminal, readAttach } from "./attach.ts";
import type { Door } from "./door.ts";
import { join } from "./join.ts";
import { motd } from "./motd.ts";
import { Program, type Size } from "./program.ts";
import { arrivingModes, type PtyModes } from "./pty-modes.ts";
import { SessionEnvironment, sshVariables } from "./session-environment.ts";
import { commandFor } from "./transfers.ts";

const terminalName = /^[A-Za-z0-9._+-]{1,64}$/;

/** A login does not wait longer for words about its workspace. */
const motdTimeoutMs = 1000;

interface Terminal {
  readonly term: string;
  readonly modes: PtyModes;
}

// ssh2 gives no `accept` and `reject` where the client wants no reply.
type Answer = (() => boolean) | undefined;

/** Serves one `session` channel: requests for a pty and variables, then one program. */
export function serveSession(session: Session, door: Door, agent: AgentForwarding): void {
  new SessionChannel(session, door, agent).serve();
}

class SessionChannel {
  readonly #session: Session;
  readonly #door: Door;
  readonly #agent: AgentForwarding;
  readonly #env = new SessionEnvironment();
  #terminal: Terminal | null = null;
  #size: Size = { cols: 80, rows: 24 };
  #program: Program | null = null;
  #agentSocket: Promise<string | null> | null = null;
  /** What there is to say of the workspace's start, to who looks. */
  #waiting: string | null = null;

  constructor(session: Session, door: Door, agent: AgentForwarding) {
    this.#session = session;
    this.#door = door;
    this.#agent = agent;
  }

  serve(): void {
    const session = this.#session;
    session.on("pty", (accept: Answer, _reject, info) => {
      const term = terminalName.test(info.term) ? info.term : "xterm";
      this.#terminal = { term, modes: arrivingModes() };
      this.#size = clamp(info);
      accept?.();
    });
    session.on("window-change", (accept: Answer, _reject, info) => {
      this.#size = clamp(info);
      this.#program?.resize(this.#size);
      accept?.();
    });
    session.on("env", (accept: Answer, reject: Answer, { key, val }) => {
      if (this.#env.set(key, val)) accept?.();
      else reject?.();
    });
    session.on("auth-agent", (accept: Answer) => {
      // At once: the replies to a client's requests have the requests' order.
      accept?.();
      this.#agentSocket ??= this.#agent.socket();
    });
    session.on("signal", (accept: Answer, _reject, { name }) => {
      this.#program?.signal(name);
      accept?.();
    });
    // Asked for now, while the client still sends what it wants to run.
    const target = this.#target();
    target.catch(() => undefined);
    const exec = (what: Partial<ExecRequest>) => () => this.#exec(target, what);
    session.on("shell", (accept) => this.#run(accept(), exec({})));
    session.on("exec", (accept, _reject, { command }) => {
      const { shell, advice } = commandFor(command);
      this.#run(accept(), exec({ shell }), advice);
    });
    session.on("subsystem", (accept, reject, { name }) => {
      const attach = readAttach(name);
      if (name === "sftp") void this.#sftp(accept(), target);
      else if (attach !== null) this.#run(accept(), () => this.#attach(target, attach.id));
      else reject();
    });
    session.on("close", () => this.#program?.hangup());
  }

  /** The server of files speaks with the client itself: nothing of us stands between them. */
  async #sftp(
    channel: ServerChannel | undefined,
    asked: ReturnType<Door["target"]>,
  ): Promise<void> {
    if (channel === undefined) return;
    const { supervisors, sftpServer: argv, sshConnection } = this.#door;
    try {
      const env = { ...this.#env.values, ...sshVariables(sshConnection) };
      const socket = await supervisors.direct(await asked, { argv, env });
      await join(channel, socket, { ...this.#door, exitStatus: 0 });
    } catch {
      // It stopped just now, or is one of before: what goes on there says how it failed, too.
      this.#run(channel, () => this.#exec(asked, { argv: [...argv] }));
    }
  }

  #run(
    channel: ServerChannel | undefined,
    open: () => Promise<ExecStream>,
    advice: string | null = null,
  ): void {
    // A second program of one channel: ssh2 gives no second channel for it.
    if (channel === undefined) return;
    const program = new Program(channel, this.#door, this.#terminal !== null);
    this.#program = program;
    this.#sayWaiting();
    void program.start(async () => {
      const size = this.#size;
      const stream = await open();
      if (size !== this.#size) stream.resize(this.#size);
      return stream;
    }, advice);
  }

  /** The workspace; where it does not run it is started, which whoever looks is told. */
  #target(): ReturnType<Door["target"]> {
    return this.#door.target((sentence) => {
      this.#waiting = sentence;
      this.#sayWaiting();
    });
  }

  #sayWaiting(): void {
    if (this.#waiting === null || this.#program === null || this.#terminal === null) return;
    this.#program.say(this.#waiting);
    this.#waiting = null;
  }

  async #exec(asked: ReturnType<Door["target"]>, what: Partial<ExecRequest>): Promise<ExecStream> {
    const target = await asked;
    const terminal = this.#terminal;
    const socket = await this.#agentSocket;
    const request: Partial<ExecRequest> = {
      ...what,
      env: {
        ...this.#env.values,
        ...sshVariables(this.#door.sshConnection),
        ...(socket === null ? {} : { SSH_AUTH_SOCK: socket }),
      },
      pty: terminal === null ? null : { ...terminal, ...this.#size, nameIn: "SSH_TTY" },
    };
    const login = terminal !== null && what.shell === undefined && what.argv === undefined;
    const { supervisors } = this.#door;
    try {
      return await supervisors.exec(
        target,
        login ? { ...request, motd: await this.#motd(target) } : request,
      );
    } catch (error) {
      return await supervisors.exec(await this.#again(error), request);
    }
  }

  /**
   * The workspace once more, where it stopped between the look at it and the start of a program:
   * then the login starts it, as a moment later it would have.
   *
   * @throws what it was given where that is not so.
   */
  async #again(error: unknown): ReturnType<Door["target"]> {
    const { code } = toOneloopError(error);
    if (code !== "supervisor-unreachable" && code !== "workspace-not-running") throw error;
    let stopped = false;
    this.#door.forgetTarget();
    const target = await this.#door.target((sentence) => {
      stopped = true;
      this.#waiting = sentence;
      this.#sayWaiting();
    });
    if (!stopped) throw error;
    return target;
  }

  async #attach(asked: ReturnType<Door["target"]>, id: string | null): Promise<ExecStream> {
    const { supervisors, terminals } = this.#door;
    const target = await asked;
    const chosen = chooseTerminal(await terminals(target), id);
    this.#program?.say(`attached to ${chosen.title}. Enter ~ . leaves it, and it goes on.`);
    const size = this.#terminal === null ? null : this.#size;
    return supervisors.attach(target, chosen.id, { size });
  }

  /** Words for a login; `null` where they cannot be had, or not soon. */
  async #motd(target: Awaited<ReturnType<Door["target"]>>): Promise<string | null> {
    const { describe, terminals, log } = this.#door;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), motdTimeoutMs);
    });
    const words = Promise.all([describe(target), terminals(target)]).then(([workspace, list]) =>
      workspace === null ? null : motd(workspace, list),
    );
    try {
      return await Promise.race([words, late]);
    } catch (error) {
      log.debug({ err: error }, "a login gets no words");
      return null;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A client may say anything, also 0 (RFC 4254 section 6.2: then pixels count, which we ignore). */
function clamp({ cols, rows }: Size): Size {
  return {
    cols: cols < 1 ? 80 : Math.min(cols, 2000),
    rows: rows < 1 ? 24 : Math.min(rows, 1000),
  };
}
