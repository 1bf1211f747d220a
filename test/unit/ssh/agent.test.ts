import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, watch } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OneloopError } from "../../../server/protocol/errors.ts";
import { finish, gate, startOpenSsh, type Finished, type OpenSsh } from "./openssh.ts";

const run = promisify(execFile);

/** The agent of the person's machine, with one key. */
interface Agent extends Disposable {
  readonly socket: string;
  readonly key: string;
  readonly process: ChildProcess;
}

let open: OpenSsh;
let agent: Agent;
beforeAll(async () => {
  open = await startOpenSsh();
  agent = await startAgent("agent");
});
afterAll(async () => {
  agent[Symbol.dispose]();
  await open[Symbol.asyncDispose]();
});

async function startAgent(name: string): Promise<Agent> {
  const socket = join(open.folder, `${name}.sock`);
  const key = join(open.folder, `${name}-key`);
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "adas laptop", "-f", key]);
  const process = spawn("ssh-agent", ["-D", "-a", socket]);
  // It says so when it listens.
  await once(process.stdout, "data");
  await run("ssh-add", ["-q", key], { env: { SSH_AUTH_SOCK: socket } });
  return { socket, key, process, [Symbol.dispose]: () => void process.kill("SIGKILL") };
}

function start(args: readonly string[], { socket }: Agent = agent) {
  return open.start([...open.options(undefined, socket), ...args]);
}

function inside(command: string, by: Agent = agent): Promise<Finished> {
  return finish(start(["-A", "ws@127.0.0.1", command], by));
}

describe("ssh -A, by the OpenSSH client and its agent", () => {
  test("ssh-add -l inside lists the keys of the person's agent", async () => {
    const { code, stdout, stderr } = await inside("ssh-add -l");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { stdout: fingerprint } = await run("ssh-keygen", ["-l", "-f", agent.key]);
    expect(stdout.toString()).toBe(fingerprint);
  });

  test("without -A there is no agent, and no socket for one", async () => {
    const before = await readdir(open.runFolder);
    const child = start(["-a", "ws@127.0.0.1", "echo [$SSH_AUTH_SOCK]"]);
    expect((await finish(child)).stdout.toString()).toBe("[]\n");
    expect(await readdir(open.runFolder)).toEqual(before);
  });

  test("git signs a commit with a key that is only in the agent", async () => {
    const home = join(open.folder, "repository");
    await mkdir(home);
    const publicKey = (await readFile(`${agent.key}.pub`, "utf8")).trim();
    await writeFile(join(home, "key.pub"), `${publicKey}\n`);
    await writeFile(join(home, "allowed"), `ada@example.org ${publicKey}\n`);
    const git = [
      ...["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org"],
      ...["-c", "gpg.format=ssh", "-c", `user.signingkey=${home}/key.pub`],
    ].join(" ");
    const commit = `${git} commit -q -S --allow-empty -m signed`;
    const signed = await inside(`cd ${home} && git init -q && ${commit}`);
    expect({ code: signed.code, stderr: signed.stderr }).toEqual({ code: 0, stderr: "" });
    const allowed = ["-c", `gpg.ssh.allowedSignersFile=${home}/allowed`];
    const { stderr } = await run("git", [...allowed, "verify-commit", "HEAD"], { cwd: home });
    expect(stderr).toContain('Good "git" signature for ada@example.org with ED25519 key');
    const log = await run("git", [...allowed, "log", "--show-signature"], { cwd: home });
    expect(log.stdout).toContain('Good "git" signature for ada@example.org');
    // With no agent there is nothing to sign with.
    const unsigned = await open.ssh(["ws@127.0.0.1", `cd ${home} && ${commit}`]);
    expect(unsigned.code).not.toBe(0);
  });

  test("the socket goes with the connection", async () => {
    const child = start(["-A", "ws@127.0.0.1", "echo $SSH_AUTH_SOCK; exec cat"]);
    const [first] = (await once(child.stdout, "data")) as [Buffer];
    const socket = first.toString().trim();
    expect(existsSync(socket)).toBe(true);
    child.kill("SIGKILL");
    while (existsSync(socket)) await new Promise((resolve) => setImmediate(resolve));
    const { code } = await open.ssh(["ws@127.0.0.1", `SSH_AUTH_SOCK=${socket} ssh-add -l`]);
    expect(code).toBe(2);
  });

  test("whoever uses it is cut off with the connection", async () => {
    const child = start(["-A", "ws@127.0.0.1", "echo $SSH_AUTH_SOCK; exec cat"]);
    const [first] = (await once(child.stdout, "data")) as [Buffer];
    // Another connection's program, which keeps a connection to the agent that it has used.
    const script = `
      const socket = require("net").connect(${JSON.stringify(first.toString().trim())});
      socket.on("connect", () => socket.write(Buffer.from([0, 0, 0, 1, 11])));
      socket.on("data", () => console.log("answered"));
      socket.on("error", () => undefined);
      socket.on("close", () => console.log("cut off"));
    `;
    const user = open.start(["ws@127.0.0.1", `exec ${process.execPath} -e '${script}'`]);
    expect(String((await once(user.stdout, "data"))[0])).toBe("answered\n");
    child.kill("SIGKILL");
    expect(String((await once(user.stdout, "data"))[0])).toBe("cut off\n");
  });

  test("sessions of one connection share a socket, and only those that ask have it", async () => {
    const master = join(open.folder, "master");
    const first = start(["-A", "-M", "-S", master, "ws@127.0.0.1", "echo $SSH_AUTH_SOCK; cat"]);
    const [told] = (await once(first.stdout, "data")) as [Buffer];
    const share = (flag: string): Promise<Finished> =>
      finish(start([flag, "-S", master, "ws@127.0.0.1", "echo $SSH_AUTH_SOCK"]));
    expect((await share("-A")).stdout.toString()).toBe(told.toString());
    expect((await share("-a")).stdout.toString()).toBe("\n");
    first.stdin.end();
    await once(first, "close");
  });

  test("git over ssh signs in with the person's key: here, to this gateway again", async () => {
    using known = await startAgent("known");
    const ownKey = join(open.folder, "key");
    await run("ssh-add", ["-q", ownKey], { env: { SSH_AUTH_SOCK: known.socket } });
    const repository = join(open.folder, "far.git");
    await run("git", ["init", "-q", "--bare", repository]);
    const ssh = [
      ...["ssh", "-F", "none", "-p", open.gateway.port, "-o", "BatchMode=yes"],
      ...["-o", "IdentityFile=none", "-o", `UserKnownHostsFile=${open.folder}/known_hosts`],
    ].join(" ");
    const push = `GIT_SSH_COMMAND="${ssh}" git push -q ws@127.0.0.1:${repository} HEAD:refs/heads/x`;
    const commit = "git -c user.name=Ada -c user.email=a@b commit -q --allow-empty -m pushed";
    const made = await inside(`git init -q clone && cd clone && ${commit} && ${push}`, known);
    expect({ code: made.code, stderr: made.stderr }).toEqual({ code: 0, stderr: "" });
    const { stdout } = await run("git", ["log", "--format=%s", "x"], { cwd: repository });
    expect(stdout).toBe("pushed\n");
    const refused = await open.ssh(["ws@127.0.0.1", `cd clone && ${push}`]);
    expect(refused.stderr).toContain("Permission denied (publickey)");
  });

  test("20 programs use it at the same time", async () => {
    const each = "{ ssh-add -L || echo failed; } &";
    const { stdout } = await inside(`for i in $(seq 20); do ${each} done; wait`);
    const publicKey = await readFile(`${agent.key}.pub`, "utf8");
    expect(stdout.toString()).toBe(publicKey.repeat(20));
  });

  test("an agent that is gone closes the socket on who asks, and nothing else", async () => {
    using short = await startAgent("short");
    const child = start(["-A", "ws@127.0.0.1", "exec sh"], short);
    child.stdin.write("echo ready\n");
    await once(child.stdout, "data");
    const ended = once(short.process, "exit");
    short.process.kill("SIGKILL");
    await ended;
    const { code, stdout } = await finish(child, "ssh-add -l 2>&1; echo $?; exit 7\n");
    expect(stdout.toString()).toMatch(/^error fetching identities: .*\n1\n$/);
    expect(code).toBe(7);
  });

  test("a supervisor that cannot listen takes nothing but the agent", async () => {
    const refuse = () => Promise.reject(new OneloopError("not-found", "There is no such path."));
    await using own = await startOpenSsh("ed25519", () => ({ listen: refuse }));
    const options = own.options(undefined, agent.socket);
    const child = own.start([...options, "-A", "ws@127.0.0.1", "echo [$SSH_AUTH_SOCK]"]);
    const { code, stdout } = await finish(child);
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: "[]\n" });
  });

  test("a client that leaves while the socket is being made leaves none", async () => {
    const asked = gate();
    const gone = gate();
    await using own = await startOpenSsh("ed25519", (supervisors) => ({
      async listen(target) {
        asked.open();
        await gone.opened;
        return supervisors.listen(target);
      },
    }));
    const options = own.options(undefined, agent.socket);
    const child = own.start([...options, "-A", "ws@127.0.0.1", "true"]);
    await asked.opened;
    const before = await readdir(own.runFolder);
    child.kill("SIGKILL");
    // What came before this connection has been seen.
    await own.ssh(["ws@127.0.0.1", "true"]);
    const changed = new Set<string>();
    using watcher = watchFolder(own.runFolder, (name) => changed.add(name));
    gone.open();
    await watcher.until(() => changed.size > 0 && sameNames(own.runFolder, before));
  });
});

function sameNames(folder: string, names: readonly string[]): boolean {
  return readdirSync(folder).toSorted().join() === names.toSorted().join();
}

/** Tells each change of a folder's names. */
function watchFolder(folder: string, changed: (name: string) => void) {
  let look = (): void => undefined;
  const watcher = watch(folder, (_, name) => {
    changed(name ?? "");
    look();
  });
  return {
    until: (seen: () => boolean): Promise<void> =>
      new Promise((resolve) => {
        look = () => {
          if (seen()) resolve();
        };
        look();
      }),
    [Symbol.dispose]: () => watcher.close(),
  };
}
