import { z } from "zod";
import { Task } from "./plan.ts";

/** Raised when a change is not additive; the control plane supports this and the version before. */
export const supervisorProtocol = 1;

/**
 * The port of the supervisor inside the workspace's network namespace. It is outside the ephemeral
 * range (32768–60999) and unassigned by IANA; the sandbox's rules let only the host reach it.
 */
export const supervisorPort = 22_022;

/**
 * The ports after it are for the supervisors that enter other services on demand: components of a
 * devfile share one network namespace, and each takes the first that is free. Unassigned, too.
 */
export const lastSupervisorPort = 22_085;

/** Whether a port is Oneloop's own in every network namespace of a workspace. */
export function isSupervisorPort(port: number): boolean {
  return port >= supervisorPort && port <= lastSupervisorPort;
}

/** The mount path of the supervisor volume. Its binaries are linked to run from here only. */
export const supervisorMount = "/.oneloop";

/**
 * The environment variable that carries the boot configuration. The supervisor removes it before it
 * starts anything. There is no secret in it.
 */
export const supervisorConfigVariable = "ONELOOP_SUPERVISOR";

export const SupervisorConfig = z.object({
  workspace: z.string(),
  /** The control plane's Ed25519 public key: SPKI, DER, base64. */
  publicKey: z.string(),
  /** Where a shell starts. */
  cwd: z.string(),
  home: z.string(),
  /** The login shell where the container's users file says none; `null`: bash, sh, or ours. */
  shell: z.string().nullable(),
  /**
   * The environment of everything that is started here: the image's own and the devfile's. The
   * supervisor's own process gets none of it (the image's LD_PRELOAD or NODE_OPTIONS could end it).
   */
  env: z.record(z.string(), z.string()),
  tasks: z.array(Task),
  /** The image's own entry point and command: what a task with `command: null` runs. */
  imageCommand: z.array(z.string()),
  /**
   * It entered the running container of another service than the dev service, where it is a guest:
   * it takes a free port, ends by itself after so long without use, and HOME is the container's own.
   */
  entered: z.object({ idleMs: z.number().int().positive() }).optional(),
});
export type SupervisorConfig = z.infer<typeof SupervisorConfig>;

/**
 * The line that the supervisor (and the sandbox) prints on standard output when it listens: the
 * engine brings it to the control plane, so nobody polls.
 */
export const ReadyLine = z.object({
  oneloop: z.literal("ready"),
  boot: z.string().optional(),
  /** Of a supervisor that entered a service: where it listens. */
  port: z.number().int().min(1).max(65535).optional(),
});
export type ReadyLine = z.infer<typeof ReadyLine>;

/** `GET /hello`, the only request without a grant. */
export const Hello = z.object({
  protocol: z.number().int(),
  workspace: z.string(),
  /** Random, new at each start of the supervisor. */
  boot: z.string(),
  version: z.string(),
});
export type Hello = z.infer<typeof Hello>;

/**
 * What a request to the supervisor may do. `terminal` attaches to, creates, lists or ends terminals;
 * `exec` runs a command; `dial` opens a connection inside the workspace's network; `control` holds
 * the control stream; `setup` says whose workspace it is; `listen` takes connections of programs
 * inside.
 */
export const GrantAction = z.enum([
  "terminal",
  "exec",
  "dial",
  "state",
  "control",
  "setup",
  "listen",
]);
export type GrantAction = z.infer<typeof GrantAction>;

/** The signed part of a grant. Times in milliseconds since 1970. */
export const GrantClaims = z.object({
  workspace: z.string(),
  boot: z.string(),
  /** The user's id: for the record only. */
  actor: z.string(),
  action: GrantAction,
  readOnly: z.boolean(),
  /** A grant is refused after this: 30 s after it was signed. */
  expiresAt: z.number().int(),
  /** Random; a grant works once. */
  nonce: z.string(),
});
export type GrantClaims = z.infer<typeof GrantClaims>;

/** The actor of what the control plane does for itself: not somebody's work. */
export const controlPlaneActor = "control-plane";

/** How long a grant is good for: long enough for a slow host, short enough to be worthless later. */
export const grantLifetimeMs = 30_000;

/** `Authorization: Oneloop <base64url(JSON claims)>.<base64url(Ed25519 signature of the first part)>` */
export const grantScheme = "Oneloop";

/** The `Upgrade` token of exec and dial streams. Terminals in a browser use `websocket`. */
export const streamUpgrade = "oneloop-stream";

/** What a supervisor answers to a dial with a window, if it is none of the first releases. */
export const windowUpgrade = "oneloop-window";

/**
 * The supervisor's HTTP interface, all paths. Streams are `Upgrade` requests and take their
 * parameters as one URL query parameter `q` with JSON, so that a hop can pass them unread.
 *
 * - `GET /hello` → Hello
 * - `GET /terminals` → TerminalInfo[]                      action terminal
 * - `POST /terminals` CreateTerminal → TerminalInfo         action terminal
 * - `DELETE /terminals/<id>` → 204; HUP, TERM after 2 s, KILL after 5 s more    action terminal
 * - `GET /terminals/<id>/socket?q=AttachTerminal`, `Upgrade: websocket`         action terminal
 * - `GET /terminals/<id>/stream?q=AttachStream`, `Upgrade: oneloop-stream` → the frames of an exec;
 *   neither a hangup nor the stream's end is the terminal's           action terminal
 * - `GET /terminals/<id>/output?q=OutputRequest`, `Upgrade: oneloop-stream` → frames: position, stdout
 *   and, in the end, exit; who reads it slowly holds nobody up, and misses what is not kept
 *                                                           action terminal
 * - `GET /exec?q=ExecRequest`, `Upgrade: oneloop-stream` → frames               action exec
 * - `GET /direct?q=ExecRequest`, `Upgrade: oneloop-stream` → raw bytes: the program's standard input
 *   and output; not in the first release                  action exec
 * - `GET /dial?q=DialRequest`, `Upgrade: oneloop-stream` → raw bytes; or, where a window was asked for
 *   and the answer is `Upgrade: oneloop-window`, frames to the supervisor, stdin and credit, and raw
 *   bytes from it                                         action dial
 * - `GET /tasks` → TaskInfo[]                               action state
 * - `POST /setup` WorkspaceSetup → 204; the first one starts the tasks           action setup
 * - `GET /control`, `Upgrade: oneloop-stream` → lines of JSON (control.ts)       action control
 * - `GET /listen?q=ListenRequest`, `Upgrade: oneloop-stream` → lines of ListenMessage; listens as
 *   long as the stream is open                            action listen
 * - `GET /accept?q=AcceptRequest`, `Upgrade: oneloop-stream` → raw bytes         action listen
 */
export const supervisorPaths = {
  hello: "/hello",
  terminals: "/terminals",
  terminal: (id: string) => `/terminals/${encodeURIComponent(id)}`,
  terminalSocket: (id: string) => `/terminals/${encodeURIComponent(id)}/socket`,
  terminalStream: (id: string) => `/terminals/${encodeURIComponent(id)}/stream`,
  terminalOutput: (id: string) => `/terminals/${encodeURIComponent(id)}/output`,
  exec: "/exec",
  direct: "/direct",
  dial: "/dial",
  tasks: "/tasks",
  setup: "/setup",
  control: "/control",
  listen: "/listen",
  accept: "/accept",
} as const;

const Size = { cols: z.number().int().min(1).max(2000), rows: z.number().int().min(1).max(1000) };

export const CreateTerminal = z.object({
  /** `null`: a login shell. */
  command: z.array(z.string()).min(1).nullable().default(null),
  cwd: z.string().nullable().default(null),
  env: z.record(z.string(), z.string()).default({}),
  title: z.string().max(100).nullable().default(null),
  cols: Size.cols.default(80),
  rows: Size.rows.default(24),
});
export type CreateTerminal = z.infer<typeof CreateTerminal>;

export const TerminalInfo = z.object({
  id: z.string(),
  title: z.string(),
  task: z.string().nullable(),
  running: z.boolean(),
  exitCode: z.number().int().nullable(),
  cols: z.number().int(),
  rows: z.number().int(),
  /**
   * It belonged to an exec stream that broke, as when the control plane died, it runs on, and nobody
   * looks at it. Absent: a supervisor of before, which does not know.
   */
  detached: z.boolean().optional(),
});
export type TerminalInfo = z.infer<typeof TerminalInfo>;

export const AttachTerminal = z.object({
  /**
   * The absolute offset of the first byte that the client lacks: 0 for all that is kept. Bytes that
   * the ring has lost are skipped, and the hello message says from where it goes on.
   */
  from: z.number().int().min(0).default(0),
});
export type AttachTerminal = z.infer<typeof AttachTerminal>;

/** What is kept comes first, without the queries in it that a terminal would answer once more. */
export const AttachStream = z.object({
  /** The terminal becomes so large; null: it stays as it is. */
  size: z.object(Size).nullable().default(null),
});
export type AttachStream = z.infer<typeof AttachStream>;

export const OutputRequest = z.object({
  /** As in AttachTerminal. */
  from: z.number().int().min(0).default(0),
  /** Go on until the program ends; otherwise the exit comes after what is kept. */
  follow: z.boolean().default(false),
});
export type OutputRequest = z.infer<typeof OutputRequest>;

/** Comes first, and again wherever bytes are missing. */
export const OutputPosition = z.object({
  /** The absolute offset of the byte that follows. */
  offset: z.number().int().min(0),
  /** The absolute offset of the end of what is printed so far. */
  end: z.number().int().min(0),
});
export type OutputPosition = z.infer<typeof OutputPosition>;

/**
 * On a terminal's WebSocket, binary messages are terminal bytes in both directions. Text messages
 * are JSON: these, to the supervisor …
 */
export const TerminalClientMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("resize"), ...Size }),
]);
export type TerminalClientMessage = z.infer<typeof TerminalClientMessage>;

/** … and these, from it. `hello` comes first, before any byte. */
export const TerminalServerMessage = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("hello"),
    /** The absolute offset of the first byte that follows. */
    offset: z.number().int(),
    /**
     * The absolute offset of the end of what was printed before this connection. Up to here it is a
     * replay: a terminal must not answer the queries in it (`ESC [ c` and such) once more.
     */
    end: z.number().int().optional(),
    readOnly: z.boolean(),
    ...Size,
  }),
  z.object({ type: z.literal("resize"), ...Size }),
  z.object({ type: z.literal("exit"), exitCode: z.number().int(), signal: z.string().nullable() }),
]);
export type TerminalServerMessage = z.infer<typeof TerminalServerMessage>;

export const ExecRequest = z.object({
  /**
   * `argv`: run it as it is. `shell`: give it to the login shell with `-c`, as sshd does.
   * `null`: the login shell itself.
   */
  argv: z.array(z.string()).min(1).nullable().default(null),
  shell: z.string().nullable().default(null),
  cwd: z.string().nullable().default(null),
  env: z.record(z.string(), z.string()).default({}),
  pty: z
    .object({
      term: z.string().max(64),
      ...Size,
      /**
       * By their names in RFC 4254 section 8; for a character its code, and 255 for none. Those that
       * are not named, and names that the supervisor does not know, are as in every new terminal.
       */
      modes: z.record(z.string(), z.number().int()).optional(),
      /** The variable that gets the terminal's name, such as `SSH_TTY`. */
      nameIn: z
        .string()
        .regex(/^[A-Z_][A-Z0-9_]{0,63}$/)
        .optional(),
    })
    .nullable()
    .default(null),
  /** Printed before the program starts on its pty, unless the home has a `.hushlogin`. */
  motd: z.string().max(16_384).nullable().default(null),
});
export type ExecRequest = z.infer<typeof ExecRequest>;

/**
 * What belongs to the person and not to the container: it is told after the start and kept in
 * memory, so that no secret stands in the container's configuration. Again at each change; what
 * starts afterwards has it.
 */
export const WorkspaceSetup = z.object({
  /** Wins over the devfile's. */
  env: z.record(z.string(), z.string()),
  /** Whose name git puts into commits, where the person's own configuration says nothing. */
  git: z.object({ name: z.string(), email: z.string() }).nullable(),
});
export type WorkspaceSetup = z.infer<typeof WorkspaceSetup>;

/** Where a unix socket is, from the workspace's home on. 107: the longest that there is (unix(7)). */
const SocketPath = z
  .string()
  .max(107)
  .regex(/^[^\0]+$/);

/**
 * Bytes that may be on their way from the supervisor at a time, before they are read and credit is
 * given for them; one read more, as it stops after the one that takes the last of it. It holds while
 * the supervisor can read what credit it is given: not after an end of input, nor while the
 * connection inside takes no input.
 */
const Window = z
  .number()
  .int()
  .min(64 * 1024)
  .max(16 * 1024 * 1024)
  .optional();

export const DialRequest = z.union([
  z.object({ path: SocketPath, window: Window }),
  z.object({
    /** `localhost` tries 127.0.0.1, then ::1, then the network's own addresses. */
    host: z.string().default("localhost"),
    port: z.number().int().min(1).max(65535),
    window: Window,
  }),
]);
export type DialRequest = z.infer<typeof DialRequest>;
export type DialInput = z.input<typeof DialRequest>;

export const ListenRequest = z.union([
  /** On the loopback of the workspace's network, and nowhere else. 0: any free one. */
  z.object({ kind: z.literal("tcp"), port: z.number().int().min(0).max(65535) }),
  /** A unix socket at this path, for the workspace's user (and root). */
  z.object({ kind: z.literal("path"), path: SocketPath }),
  /** The same, of a new name. */
  z.object({ kind: z.literal("unix").default("unix") }),
]);
export type ListenRequest = z.infer<typeof ListenRequest>;

/**
 * `listening` (a unix socket) or `listening-tcp` comes first, once; then one `connection` for each
 * program that connects.
 */
export const ListenMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("listening"), path: SocketPath.startsWith("/") }),
  z.object({ type: z.literal("listening-tcp"), port: z.number().int().min(1).max(65535) }),
  z.object({ type: z.literal("connection"), id: z.string().max(64) }),
]);
export type ListenMessage = z.infer<typeof ListenMessage>;

/** Takes a connection over, once; one that nobody takes within 10 s is closed. */
export const AcceptRequest = z.object({ id: z.string().max(64) });
export type AcceptRequest = z.infer<typeof AcceptRequest>;

export const TaskInfo = z.object({
  name: z.string(),
  state: z.enum(["waiting", "running", "done", "failed"]),
  exitCode: z.number().int().nullable(),
  terminal: z.string().nullable(),
});
export type TaskInfo = z.infer<typeof TaskInfo>;
