import type { ControlOrder, WatchedFolder, WorkspaceAsk } from "../../server/protocol/control.ts";
import type { Task } from "../../server/protocol/plan.ts";
import type {
  AcceptRequest,
  AttachStream,
  AttachTerminal,
  CreateTerminal,
  DialRequest,
  ExecRequest,
  GrantClaims,
  ListenRequest,
  OutputRequest,
  SupervisorConfig,
  TerminalClientMessage,
  WorkspaceSetup,
} from "../../server/protocol/supervisor.ts";
import { badInput } from "./refusal.ts";

// The protocol's zod schemas are the specification; a test holds these guards to them. zod itself
// would cost every workspace 15 ms of its start and several megabytes.

const grantActions = ["terminal", "exec", "dial", "state", "control", "setup", "listen"] as const;

type Fields = Readonly<Record<string, unknown>>;
type Read<Value> = (value: unknown, name: string) => Value;

interface Size {
  cols: number;
  rows: number;
}

/** @throws Refusal for what is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badInput("this is not JSON");
  }
}

/** @throws Refusal, as all guards of this file. */
export function readConfig(value: unknown): SupervisorConfig {
  const fields = object(value, "the configuration");
  return {
    workspace: string(fields["workspace"], "workspace"),
    publicKey: string(fields["publicKey"], "publicKey"),
    cwd: string(fields["cwd"], "cwd"),
    home: string(fields["home"], "home"),
    shell: nullable(string)(fields["shell"], "shell"),
    env: strings(fields["env"], "env"),
    tasks: list(readTask)(fields["tasks"], "tasks"),
    imageCommand: list(string)(fields["imageCommand"], "imageCommand"),
    ...(fields["entered"] === undefined ? {} : { entered: readEntered(fields["entered"]) }),
  };
}

function readEntered(value: unknown): NonNullable<SupervisorConfig["entered"]> {
  const { idleMs } = object(value, "entered");
  return { idleMs: integer(1)(idleMs, "entered.idleMs") };
}

export function readClaims(value: unknown): GrantClaims {
  const fields = object(value, "the grant");
  return {
    workspace: string(fields["workspace"], "workspace"),
    boot: string(fields["boot"], "boot"),
    actor: string(fields["actor"], "actor"),
    action: oneOf(grantActions)(fields["action"], "action"),
    readOnly: boolean(fields["readOnly"], "readOnly"),
    expiresAt: integer(Number.MIN_SAFE_INTEGER)(fields["expiresAt"], "expiresAt"),
    nonce: string(fields["nonce"], "nonce"),
  };
}

export function readCreateTerminal(value: unknown): CreateTerminal {
  const fields = object(value, "the request");
  return {
    command: or(nullable(argv), null)(fields["command"], "command"),
    cwd: or(nullable(string), null)(fields["cwd"], "cwd"),
    env: or(strings, {})(fields["env"], "env"),
    title: or(nullable(text(100)), null)(fields["title"], "title"),
    cols: or(cols, 80)(fields["cols"], "cols"),
    rows: or(rows, 24)(fields["rows"], "rows"),
  };
}

export function readAttachTerminal(value: unknown): AttachTerminal {
  return { from: or(integer(0), 0)(object(value, "the request")["from"], "from") };
}

export function readAttachStream(value: unknown): AttachStream {
  const { size } = object(value, "the request");
  return { size: or(nullable(readSize), null)(size, "size") };
}

export function readOutputRequest(value: unknown): OutputRequest {
  const fields = object(value, "the request");
  return {
    from: or(integer(0), 0)(fields["from"], "from"),
    follow: or(boolean, false)(fields["follow"], "follow"),
  };
}

export function readExecRequest(value: unknown): ExecRequest {
  const fields = object(value, "the request");
  return {
    argv: or(nullable(argv), null)(fields["argv"], "argv"),
    shell: or(nullable(string), null)(fields["shell"], "shell"),
    cwd: or(nullable(string), null)(fields["cwd"], "cwd"),
    env: or(strings, {})(fields["env"], "env"),
    pty: or(nullable(readPty), null)(fields["pty"], "pty"),
    motd: or(nullable(text(16_384)), null)(fields["motd"], "motd"),
  };
}

export function readDialRequest(value: unknown): DialRequest {
  const fields = object(value, "the request");
  const window =
    fields["window"] === undefined
      ? {}
      : { window: integer(64 * 1024, 16 * 1024 * 1024)(fields["window"], "window") };
  if (isSocketPath(fields["path"])) return { path: fields["path"], ...window };
  return {
    host: or(string, "localhost")(fields["host"], "host"),
    port: integer(1, 65_535)(fields["port"], "port"),
    ...window,
  };
}

export function readListenRequest(value: unknown): ListenRequest {
  const { kind: given, port, path } = object(value, "the request");
  const kind = or(oneOf(["tcp", "path", "unix"] as const), "unix")(given, "kind");
  switch (kind) {
    case "tcp":
      return { kind, port: integer(0, 65_535)(port, "port") };
    case "path":
      if (isSocketPath(path)) return { kind, path };
      throw badInput("path is not the path of a unix socket");
    case "unix":
      return { kind };
  }
}

function isSocketPath(value: unknown): value is string {
  return typeof value === "string" && value.length <= 107 && /^[^\0]+$/.test(value);
}

export function readAcceptRequest(value: unknown): AcceptRequest {
  return { id: text(64)(object(value, "the request")["id"], "id") };
}

export function readClientMessage(value: unknown): TerminalClientMessage {
  const fields = object(value, "the message");
  return { type: oneOf(["resize"] as const)(fields["type"], "type"), ...readSize(fields) };
}

export function readSize(value: unknown): Size {
  const fields = object(value, "the size");
  return { cols: cols(fields["cols"], "cols"), rows: rows(fields["rows"], "rows") };
}

export function readSetup(value: unknown): WorkspaceSetup {
  const fields = object(value, "the setup");
  return {
    env: strings(fields["env"], "env"),
    git: nullable(readGit)(fields["git"], "git"),
  };
}

function readGit(value: unknown, name: string): NonNullable<WorkspaceSetup["git"]> {
  const fields = object(value, name);
  return { name: string(fields["name"], "name"), email: string(fields["email"], "email") };
}

export function readAsk(value: unknown): WorkspaceAsk {
  const fields = object(value, "the question");
  const kind = oneOf(["credential", "show", "url", "stop"] as const)(fields["kind"], "kind");
  switch (kind) {
    case "credential":
      return {
        kind,
        protocol: text(16)(fields["protocol"], "protocol"),
        host: text(300)(fields["host"], "host"),
        path: nullable(text(2000))(fields["path"], "path"),
      };
    case "url":
      return {
        kind,
        port: integer(1, 65_535)(fields["port"], "port"),
        service: nullable(text(63))(fields["service"], "service"),
      };
    case "show":
    case "stop":
      return { kind };
  }
}

/** An answer of the control plane, as much of it as is needed here. */
export type Answer = { readonly id: string } & (
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: { readonly code: string; readonly message: string } }
);

/**
 * `null`: a message of a type that is not known here. A workspace lives on while its control plane
 * is upgraded, so a newer one's types and error codes are no garbage.
 */
export function readAnswer(value: unknown): Answer | null {
  const fields = object(value, "the message");
  if (string(fields["type"], "type") !== "answer") return null;
  const id = string(fields["id"], "id");
  if (boolean(fields["ok"], "ok")) return { id, ok: true, result: fields["result"] ?? null };
  const error = object(fields["error"], "error");
  const code = string(error["code"], "code");
  return { id, ok: false, error: { code, message: string(error["message"], "message") } };
}

/** `null`: no order of those that are known here. */
export function readOrder(value: unknown): ControlOrder | null {
  const fields = object(value, "the message");
  const type = string(fields["type"], "type");
  if (type === "watch") return { type, folders: list(readFolder)(fields["folders"], "folders") };
  if (type === "taken") {
    return { type, id: integer(Number.MIN_SAFE_INTEGER)(fields["id"], "id") };
  }
  return null;
}

function readFolder(value: unknown, name: string): WatchedFolder {
  const fields = object(value, name);
  return {
    path: string(fields["path"], `${name}.path`),
    skip: list(string)(fields["skip"], `${name}.skip`),
  };
}

function readPty(value: unknown, name: string): NonNullable<ExecRequest["pty"]> {
  const fields = object(value, name);
  return {
    term: text(64)(fields["term"], "term"),
    ...readSize(fields),
    modes: or<Record<string, number> | undefined>(integers, undefined)(fields["modes"], "modes"),
    nameIn: or<string | undefined>(variable, undefined)(fields["nameIn"], "nameIn"),
  };
}

function readTask(value: unknown, name: string): Task {
  const fields = object(value, name);
  const phases = ["prebuild", "create", "start", "attach", "stop"] as const;
  return {
    name: string(fields["name"], "name"),
    phase: oneOf(phases)(fields["phase"], "phase"),
    in: string(fields["in"], "in"),
    oncePer: oneOf(["content", "workspace", "container", "start", "attach"] as const)(
      fields["oncePer"],
      "oncePer",
    ),
    needs: list(string)(fields["needs"], "needs"),
    command: nullable(list(string))(fields["command"], "command"),
    terminal: boolean(fields["terminal"], "terminal"),
    cwd: or<string | null | undefined>(nullable(string), undefined)(fields["cwd"], "cwd"),
    env: or<Record<string, string> | undefined>(strings, undefined)(fields["env"], "env"),
  };
}

function object(value: unknown, name: string): Fields {
  if (value !== null && typeof value === "object" && !Array.isArray(value)) return value as Fields;
  throw badInput(`${name} is not an object`);
}

function string(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  throw badInput(`${name} is not a string`);
}

function text(maxLength: number): Read<string> {
  return (value, name) => {
    if (string(value, name).length <= maxLength) return string(value, name);
    throw badInput(`${name} is longer than ${maxLength}`);
  };
}

function boolean(value: unknown, name: string): boolean {
  if (typeof value === "boolean") return value;
  throw badInput(`${name} is not true or false`);
}

function integer(min: number, max = Number.MAX_SAFE_INTEGER): Read<number> {
  return (value, name) => {
    if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) {
      return value as number;
    }
    throw badInput(`${name} is not a whole number from ${min} to ${max}`);
  };
}

const cols = integer(1, 2000);
const rows = integer(1, 1000);

function oneOf<const Value extends string>(values: readonly Value[]): Read<Value> {
  return (value, name) => {
    const known = values.find((one) => one === value);
    if (known !== undefined) return known;
    throw badInput(`${name} is none of ${values.join(", ")}`);
  };
}

function nullable<Value>(read: Read<Value>): Read<Value | null> {
  return (value, name) => (value === null ? null : read(value, name));
}

function or<Value>(read: Read<Value>, otherwise: Value): Read<Value> {
  return (value, name) => (value === undefined ? otherwise : read(value, name));
}

function list<Value>(read: Read<Value>): Read<Value[]> {
  return (value, name) => {
    if (Array.isArray(value)) return value.map((one, index) => read(one, `${name}[${index}]`));
    throw badInput(`${name} is not a list`);
  };
}

function argv(value: unknown, name: string): string[] {
  const values = list(string)(value, name);
  if (values.length > 0) return values;
  throw badInput(`${name} is empty`);
}

function integers(value: unknown, name: string): Record<string, number> {
  const one = integer(Number.MIN_SAFE_INTEGER);
  return Object.fromEntries(
    Object.entries(object(value, name)).map(([key, each]) => [key, one(each, `${name}.${key}`)]),
  );
}

function variable(value: unknown, name: string): string {
  if (/^[A-Z_][A-Z0-9_]{0,63}$/.test(string(value, name))) return string(value, name);
  throw badInput(`${name} is no name of a variable`);
}

function strings(value: unknown, name: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(object(value, name)).map(([key, one]) => [key, string(one, `${name}.${key}`)]),
  );
}
