import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { once } from "node:events";
import { join, resolve } from "node:path";
import ssh2, { type Connection } from "ssh2";
import { gitEnv } from "./git.ts";
import { run } from "./installation.ts";

export interface GitSshServer extends AsyncDisposable {
  /** The user's private key, OpenSSH's form. */
  readonly privateKey: string;
  /** Commands that signed-in clients asked for. */
  readonly commands: readonly string[];
  /** The URL of a repository such as `app.git`. */
  url(repository: string): string;
}

/** Git over ssh for one user, `git`, with one key: git-upload-pack over the folder's repositories. */
export async function startGitSshServer(options: {
  /** Holds the repositories, and the keys that are made for the server. */
  readonly root: string;
  readonly host: string;
  readonly port: number;
}): Promise<GitSshServer> {
  const root = resolve(options.root);
  for (const name of ["host-key", "user-key"]) {
    const made = await run("ssh-keygen", [
      ...["-q", "-t", "ed25519", "-N", "", "-f", join(root, name)],
    ]);
    if (made.exitCode !== 0) throw new Error(made.stderr);
  }
  const [hostKey, privateKey, publicKey] = await Promise.all(
    ["host-key", "user-key", "user-key.pub"].map((name) => readFile(join(root, name), "utf8")),
  );
  const allowed = ssh2.utils.parseKey(publicKey ?? "");
  if (allowed instanceof Error || Array.isArray(allowed)) throw new Error("no key was made");
  const commands: string[] = [];
  const clients = new Set<Connection>();
  const server = new ssh2.Server({ hostKeys: [hostKey ?? ""] }, (client) => {
    clients.add(client);
    client.on("close", () => clients.delete(client));
    client.on("error", () => client.end());
    client.on("authentication", (context) => {
      if (context.method !== "publickey" || context.username !== "git") return context.reject();
      if (!allowed.getPublicSSH().equals(context.key.data)) return context.reject();
      const { blob, signature, hashAlgo } = context;
      if (signature === undefined || blob === undefined) return context.accept();
      return allowed.verify(blob, signature, hashAlgo) ? context.accept() : context.reject();
    });
    client.on("session", (accept) => {
      accept().on("exec", (acceptExec, reject, { command }) => {
        commands.push(command);
        const path = /^git-upload-pack '\/([\w.-]+\.git)'$/.exec(command)?.[1];
        if (path === undefined) {
          reject();
          return;
        }
        const channel = acceptExec();
        const child = spawn("git", ["upload-pack", join(root, path)], { env: gitEnv });
        child.stdin.on("error", () => undefined);
        channel.pipe(child.stdin);
        child.stdout.pipe(channel, { end: false });
        child.stderr.pipe(channel.stderr, { end: false });
        child.on("close", (code) => {
          channel.exit(code ?? 1);
          channel.end();
        });
      });
    });
  });
  server.listen(options.port, options.host);
  await once(server, "listening");
  return {
    privateKey: privateKey ?? "",
    commands,
    url: (repository) => `ssh://git@${options.host}:${options.port}/${repository}`,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.end();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}
