import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
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
