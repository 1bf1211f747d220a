import { execFile, spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { pino } from "pino";
import { OneloopError } from "../../../server/protocol/errors.ts";
import { ensureHostKeys, startSshGateway, type SshGateway } from "../../../server/ssh/gateway.ts";
import type { SshGatewayOptions } from "../../../server/ssh/options.ts";
import type { Supervisors } from "../../../server/terminals/supervisors.ts";
import { LiveConnections } from "../../../server/auth/live.ts";
import { startFarEnd } from "../../helpers/far-end.ts";
import { Told } from "../../helpers/signals.ts";

const run = promisify(execFile);

export interface Finished {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** A gateway with one user, their key and their workspace `ws`; and the real OpenSSH client. */
export interface OpenSsh extends AsyncDisposable {
  readonly folder: string;
  readonly gateway: SshGateway;
  /** Where the workspace's supervisor keeps its sockets. */
  readonly runFolder: string;
  /** Says that an id is good no longer: the user's is `ada`, their key's `adas-key`. */
  revoke(id: string): void;
  /** Arguments of ssh and sftp that make them use nothing of this machine's user. */
  options(key?: string, agent?: string): string[];
  start(
    args: readonly string[],
    program?: "ssh" | "sftp",
    env?: NodeJS.ProcessEnv,
  ): ChildProcessWithoutNullStreams;
  ssh(args: readonly string[], input?: Buffer | string): Promise<Finished>;
}

/**
 * @param between what the gateway does with the supervisor, where a test wants to be in between.
 * @param settings of the gateway, beside the usual ones.
 */
export async function startOpenSsh(
  keyType = "ed25519",
  between: (supervisors: Supervisors) => Partial<SshGatewayOptions["supervisors"]> = () => ({}),
  settings: Partial<SshGatewayOptions> = {},
): Promise<OpenSsh> {
  const folder = await mkdtemp(join(tmpdir(), "oneloop-ssh-"));
  const key = join(folder, "key");
  await run("ssh-keygen", ["-q", "-t", keyType, "-N", "", "-f", key]);
  const [, blob] = (await readFile(`${key}.pub`, "utf8")).split(" ");
  const farEnd = await startFarEnd();
  const log = pino({ level: process.env["ONELOOP_TEST_LOG"] ?? "silent" });
  const revocations = new Told();
  const live = new LiveConnections({
    revocations: { onRevoked: (listener) => revocations.listen(listener) },
    thoseThere: async (ids) => new Set(ids),
    log,
  });
  const gateway = await startSshGateway({
    host: "127.0.0.1",
    port: 0,
    hostKeys: await ensureHostKeys(folder),
    authenticate: async (offered) =>
      offered.blob.toString("base64") === blob ? { userId: "ada", keyId: "adas-key" } : null,
    live,
    resolve: async (userId, login) => {
      if (userId === "ada" && login === "ws") {
        return { owner: farEnd.owner, service: null, name: "ws" };
      }
      throw new OneloopError("not-found", `You have no workspace ${JSON.stringify(login)}.`);
    },
    supervisors: {
      exec: (...call) => farEnd.supervisors.exec(...call),
      direct: (...call) => farEnd.supervisors.direct(...call),
      attach: (...call) => farEnd.supervisors.attach(...call),
      forward: (...call) => farEnd.supervisors.forward(...call),
      listen: (...call) => farEnd.supervisors.listen(...call),
      listenTcp: (...call) => farEnd.supervisors.listenTcp(...call),
      accept: (...call) => farEnd.supervisors.accept(...call),
      ...between(farEnd.supervisors),
    },
    log,
    sftpServer: ["/usr/lib/openssh/sftp-server"],
    ...settings,
  });
  const hostKey = await run("ssh-keygen", ["-y", "-f", join(folder, "ssh/ssh_host_ed25519_key")]);
  const knownHosts = join(folder, "known_hosts");
  await writeFile(knownHosts, `[127.0.0.1]:${gateway.port} ${hostKey.stdout}`);
  const clientSettings = {
    Port: gateway.port,
    IdentitiesOnly: "yes",
    UserKnownHostsFile: knownHosts,
    GlobalKnownHostsFile: "/dev/null",
    StrictHostKeyChecking: "yes",
    BatchMode: "yes",
    LogLevel: "ERROR",
    KexAlgorithms: "curve25519-sha256",
  };
  const options = (identity = key, agent = "none"): string[] => [
    ...["-F", "none"],
    ...Object.entries({ ...clientSettings, IdentityFile: identity, IdentityAgent: agent }).flatMap(
      ([name, value]) => ["-o", `${name}=${value}`],
    ),
  ];
  const children = new Set<ChildProcessWithoutNullStreams>();
  const start: OpenSsh["start"] = (args, program = "ssh", env = process.env) => {
    const child = spawn(program, [...(args.includes("-F") ? [] : options()), ...args], { env });
    children.add(child);
    child.on("close", () => children.delete(child));
    child.stdin.on("error", () => undefined);
    return child;
  };
  return {
    folder,
    gateway,
    runFolder: farEnd.runFolder,
    revoke: (id) => revocations.tell(id),
    options,
    start,
    ssh: (args, input = "") => finish(start(args), input),
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill("SIGKILL");
      await gateway[Symbol.asyncDispose]();
      live[Symbol.dispose]();
      await farEnd[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

export function finish(
  child: ChildProcessWithoutNullStreams,
  input: Buffer | string = "",
): Promise<Finished> {
  return new Promise((resolve) => {
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    child.on("close", (code) =>
      resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() }),
    );
    child.stdin.end(input);
  });
}

/** What a test holds back until it says so. */
export function gate(): { opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}
