import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, expect, it } from "vitest";
import { credentialedGit } from "../../../server/workspaces/credentialed-git.ts";
import { gitEnv } from "../../helpers/git.ts";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

interface Asking {
  readonly origin: string;
  readonly given: string[];
}

/** Asks everybody for a password, and keeps what it is given. */
async function askingServer(redirect?: string): Promise<Asking> {
  const given: string[] = [];
  const server = createServer((request, response) => {
    const { authorization } = request.headers;
    if (authorization !== undefined)
      given.push(Buffer.from(authorization.slice(6), "base64").toString());
    if (redirect === undefined) response.writeHead(401, { "www-authenticate": 'Basic realm="x"' });
    else response.writeHead(302, { location: `${redirect}${request.url}` });
    response.end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => server.close());
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, given };
}

async function runGit(url: string): Promise<{ argv: string; stderr: string }> {
  const credential = { url, username: "ada", password: "p@ss:w%rd" };
  const { argv, stdin } = credentialedGit(["ls-remote", "--", url], credential);
  const [program = "", ...args] = argv;
  const child = spawn(program, args, { env: gitEnv, stdio: ["pipe", "ignore", "pipe"] });
  child.stdin.end(stdin);
  const stderr = await text(child.stderr);
  if (child.exitCode === null) await once(child, "close");
  return { argv: argv.join(" "), stderr };
}

it("git gives the credential to the remote's own origin, from standard input only", async () => {
  const server = await askingServer();
  const { argv, stderr } = await runGit(`${server.origin}/o/app.git`);
  expect(server.given).toEqual(["ada:p@ss:w%rd"]);
  expect(argv).not.toContain("p@ss");
  expect(stderr).not.toContain("p@ss");
});

it("a redirect to another origin gets nothing", async () => {
  const other = await askingServer();
  const server = await askingServer(other.origin);
  await runGit(`${server.origin}/o/app.git`);
  expect(other.given).toEqual([]);
});

it("a key for ssh is on standard input, too, and its line ends are ssh's", () => {
  const password =
    "-----BEGIN OPENSSH PRIVATE KEY-----\r\nabc\r\n-----END OPENSSH PRIVATE KEY-----";
  const { argv, stdin } = credentialedGit(["fetch"], {
    url: "git@h.example:o/app.git",
    username: "git",
    password,
  });
  expect(argv.join(" ")).not.toContain("abc");
  expect(stdin).toBe(
    "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n",
  );
});

it("the agent that holds a key ends with git, even where the shell around it is killed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "oneloop-ssh-key-"));
  closing.push(() => void rm(folder, { recursive: true, force: true }));
  const made = spawn("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")]);
  await once(made, "close");
  const url = "git@h.example:o/app.git";
  const password = await readFile(join(folder, "key"), "utf8");
  const credential = { url, username: "git", password };
  // An alias of git's: it says which agent there is, which keys it holds, and ends when it is told.
  const alias = 'alias.ask=!echo "$SSH_AGENT_PID"; ssh-add -l; echo; exec sleep 600';
  const { argv, stdin } = credentialedGit(["-c", alias, "ask"], credential);
  const [program = "", ...args] = argv;
  const child = spawn(program, args, {
    env: gitEnv,
    stdio: ["pipe", "pipe", "inherit"],
    detached: true,
  });
  child.stdin.end(stdin);
  let said = "";
  for await (const chunk of child.stdout) {
    said += String(chunk);
    if (said.endsWith("\n\n")) break;
  }
  expect(said).toContain("ED25519");
  const agent = Number(said.split("\n")[0]);
  expect(isAlive(agent)).toBe(true);
  process.kill(-(child.pid ?? 0), "SIGKILL");
  await expect.poll(() => isAlive(agent), { timeout: 15_000, interval: 200 }).toBe(false);
}, 20_000);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
