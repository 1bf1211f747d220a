import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root, run, type CommandResult } from "../../helpers/installation.ts";
import { SshWorkspace } from "../../helpers/ssh-workspace.ts";

let open: SshWorkspace;
/** Random bytes that lie in the workspace too, at ~/bytes. */
const bytes = randomBytes(48 * 1024 * 1024);

beforeAll(async () => {
  open = await SshWorkspace.start();
  const put = await open.ssh("cat > ~/bytes", { input: bytes });
  if (put.exitCode !== 0) throw new Error(put.stderr);
});
afterAll(() => open[Symbol.asyncDispose]());

const sha = (data: Buffer): string => createHash("sha256").update(data).digest("hex");

/** Options that name a key of its own, which is added to the person's. */
async function ownKey(name: string, kind: readonly string[]): Promise<string[]> {
  const key = join(open.folder, name);
  await run("ssh-keygen", ["-q", ...kind, "-N", "", "-f", key]);
  const added = await open.oneloop.loop("keys", "add", `${key}.pub`);
  expect(added.exitCode).toBe(0);
  // Before the usual ones, and instead of the usual key.
  return ["-F", "none", "-i", key, "-o", `UserKnownHostsFile=${open.folder}/known_hosts`];
}

function sshAs(options: readonly string[], command: string): Promise<CommandResult> {
  const usual = ["-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=accept-new"];
  const port = ["-o", "BatchMode=yes", "-p", String(open.oneloop.sshPort)];
  return run("ssh", [...options, ...usual, ...port, open.host, command]);
}

describe("keys", () => {
  test.each([
    ["ed25519", ["-t", "ed25519"], "ssh-ed25519"],
    ["ecdsa of 256 bits", ["-t", "ecdsa", "-b", "256"], "ecdsa-sha2-nistp256"],
    ["ecdsa of 384 bits", ["-t", "ecdsa", "-b", "384"], "ecdsa-sha2-nistp384"],
    ["ecdsa of 521 bits", ["-t", "ecdsa", "-b", "521"], "ecdsa-sha2-nistp521"],
    ["rsa with SHA-256", ["-t", "rsa", "-b", "3072"], "rsa-sha2-256"],
    ["rsa with SHA-512", ["-t", "rsa", "-b", "3072"], "rsa-sha2-512"],
  ])("of a person: %s signs in", async (name, kind, algorithm) => {
    const key = await ownKey(`own-${name.replaceAll(" ", "-")}`, kind);
    const only = ["-o", `PubkeyAcceptedAlgorithms=${algorithm}`];
    expect(await sshAs([...key, ...only], "echo in")).toMatchObject({
      exitCode: 0,
      stdout: "in\n",
    });
  });

  test("of a person: rsa with SHA-1 is refused", async () => {
    const key = await ownKey("sha1", ["-t", "rsa", "-b", "3072"]);
    const said = await sshAs([...key, "-o", "PubkeyAcceptedAlgorithms=ssh-rsa"], "true");
    expect(said.exitCode).toBe(255);
    expect(said.stderr).toContain("Permission denied (publickey)");
  });

  test.each([["ssh-ed25519"], ["rsa-sha2-512"], ["rsa-sha2-256"]])(
    "of the host: %s is offered, and is the one in the data folder",
    async (algorithm) => {
      const file = algorithm === "ssh-ed25519" ? "ssh_host_ed25519_key" : "ssh_host_rsa_key";
      const known = join(open.folder, `known-${algorithm}`);
      const options = ["-o", `HostKeyAlgorithms=${algorithm}`, "-o", `UserKnownHostsFile=${known}`];
      expect((await open.ssh("true", { options })).exitCode).toBe(0);
      const path = join(open.oneloop.dataDir, "ssh", file);
      const { stdout } = await run("ssh-keygen", ["-y", "-f", path]);
      expect(await readFile(known, "utf8")).toContain(stdout.trim().split(" ")[1]);
    },
  );

  test("of the host: a signature with SHA-1 is not offered", async () => {
    const { exitCode, stderr } = await open.ssh("true", {
      options: ["-o", "HostKeyAlgorithms=ssh-rsa", "-o", "LogLevel=INFO"],
    });
    expect(exitCode).toBe(255);
    expect(stderr).toContain("no matching host key type found");
  });

  test.each(["password", "keyboard-interactive"])("%s is no way in", async (method) => {
    const options = ["-o", `PreferredAuthentications=${method}`, "-o", "BatchMode=yes"];
    const { exitCode, stderr } = await open.ssh("true", { options });
    expect(exitCode).toBe(255);
    expect(stderr).toContain("Permission denied (publickey).");
  });
});

describe("the transport", () => {
  const loud = ["-o", "LogLevel=DEBUG3"];
  const exchanges = (stderr: string): number =>
    stderr.split("SSH2_MSG_NEWKEYS received").length - 1;

  test("is exchanged strictly: the counter-measure to Terrapin", async () => {
    const { stderr } = await open.ssh("true", { options: loud });
    expect(stderr).toContain("will use strict KEX ordering");
  });

  test.each([
    ["aes128-gcm@openssh.com", null],
    ["aes256-gcm@openssh.com", null],
    ["chacha20-poly1305@openssh.com", null],
    ["aes128-ctr", "hmac-sha2-256-etm@openssh.com"],
    ["aes192-ctr", "hmac-sha2-512-etm@openssh.com"],
    ["aes256-ctr", "hmac-sha2-512"],
  ])("passes bytes both ways with %s", async (cipher, mac) => {
    const options = ["-c", cipher, ...(mac === null ? [] : ["-m", mac])];
    const { stdout } = await open.ssh("sha256sum; sha256sum < ~/bytes", {
      options,
      input: bytes.subarray(0, 5_000_000),
    });
    const shown = stdout.split("\n").map((line) => line.slice(0, 64));
    expect(shown.slice(0, 2)).toEqual([sha(bytes.subarray(0, 5_000_000)), sha(bytes)]);
  });

  test.each([["aes128-gcm@openssh.com"], ["chacha20-poly1305@openssh.com"]])(
    "takes new keys after so many bytes, under load both ways at once (%s)",
    async (cipher) => {
      const child = open.spawn("cat", [...loud, "-c", cipher, "-o", "RekeyLimit=1M"]);
      const digest = createHash("sha256");
      child.stdout.on("data", (chunk: Buffer) => digest.update(chunk));
      const stderr: Buffer[] = [];
      child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
      child.stdin.end(bytes);
      const [code] = (await once(child, "close")) as [number];
      expect(code).toBe(0);
      expect(digest.digest("hex")).toBe(sha(bytes));
      expect(exchanges(Buffer.concat(stderr).toString())).toBeGreaterThan(10);
    },
  );

  test("takes new keys after some time, under load both ways at once", async () => {
    const child = open.spawn("cat", [...loud, "-o", "RekeyLimit=1G 1s"]);
    const sent = createHash("sha256");
    const received = createHash("sha256");
    let [given, taken] = [0, 0];
    const owed = (): number => given - taken;
    let stderr = "";
    const piece = bytes.subarray(0, 64 * 1024);
    const give = (): void => {
      sent.update(piece);
      given += piece.length;
      child.stdin.write(piece);
    };
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      if (exchanges(stderr) >= 4 && !child.stdin.writableEnded) child.stdin.end();
    });
    // What comes back is answered by more, until the keys are the fourth.
    child.stdout.on("data", (chunk: Buffer) => {
      received.update(chunk);
      taken += chunk.length;
      while (owed() < 1024 * 1024 && !child.stdin.writableEnded) give();
    });
    give();
    const [code] = (await once(child, "close")) as [number];
    expect({ code, taken }).toEqual({ code: 0, taken: given });
    expect(received.digest("hex")).toBe(sent.digest("hex"));
  });

  test("is compressed for a client that asks for it, with new keys in the midst", async () => {
    const text = Buffer.alloc(8 * 1024 * 1024, "all work and no play ");
    const mixed = Buffer.concat([text, bytes.subarray(0, 4 * 1024 * 1024), text]);
    const child = open.spawn("cat", [...loud, "-C", "-o", "RekeyLimit=1M"]);
    const digest = createHash("sha256");
    child.stdout.on("data", (chunk: Buffer) => digest.update(chunk));
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (words: string) => (stderr += words));
    child.stdin.end(mixed);
    const [code] = (await once(child, "close")) as [number];
    expect({ code, digest: digest.digest("hex") }).toEqual({ code: 0, digest: sha(mixed) });
    expect(stderr).toContain("compression: zlib@openssh.com");
    expect(exchanges(stderr)).toBeGreaterThan(2);
  });

  test("is not compressed for others", async () => {
    const { stdout, stderr } = await open.ssh("sha256sum < ~/bytes", { options: loud });
    expect(stdout.slice(0, 64)).toBe(sha(bytes));
    expect(stderr).toContain("compression: none");
  });

  test("answers a client that asks whether it is alive", async () => {
    const alive = ["-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=1"];
    // Longer than a client waits that is not answered.
    const { exitCode, stdout } = await open.ssh("sleep 4; echo there", { options: alive });
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "there\n" });
  });
});

describe("over HTTPS's port", () => {
  const loop = join(root, "cli/bin/loop.js");

  /** What ssh is told to go by the control plane's URL. */
  function byStdio(): string[] {
    const line = `'${process.execPath}' '${loop}' ssh --stdio '${open.ws.name}'`;
    return ["-o", `ProxyCommand=${line}`, "-o", "HostKeyAlias=oneloop"];
  }

  test("loop ssh --stdio passes bytes both ways, to the same host key", async () => {
    const { env } = open.oneloop;
    const known = ["-o", `UserKnownHostsFile=${open.folder}/known-stdio`];
    // Met at its own port, and known since.
    const first = await open.ssh("true", { options: ["-o", "HostKeyAlias=oneloop", ...known] });
    expect(first.exitCode).toBe(0);
    const options = [...byStdio(), ...known, "-o", "StrictHostKeyChecking=yes"];
    const up = await open.ssh("sha256sum", { options, input: bytes, env });
    expect(up).toMatchObject({ exitCode: 0, stderr: "" });
    expect(up.stdout.slice(0, 64)).toBe(sha(bytes));
    const child = open.spawn("cat ~/bytes", options, env);
    const digest = createHash("sha256");
    child.stdout.on("data", (chunk: Buffer) => digest.update(chunk));
    child.stdin.end();
    expect((await once(child, "close"))[0]).toBe(0);
    expect(digest.digest("hex")).toBe(sha(bytes));
  });

  test("it says what is wrong in a sentence", async () => {
    const nowhere = { ...open.oneloop.env, ONELOOP_URL: "http://127.0.0.1:9" };
    const away = await run(process.execPath, [loop, "ssh", "--stdio", "ws"], { env: nowhere });
    expect(away.exitCode).toBe(2);
    expect(away.stderr).toContain("127.0.0.1:9");
    const { env } = open.oneloop;
    const none = await run(process.execPath, [loop, "ssh", "--stdio", "no-such"], { env });
    expect(none.exitCode).toBe(2);
    expect(none.stderr).toMatch(/no workspace .*no-such/);
  });

  test("a web page, a stranger and a plain request are not let through", async () => {
    const url = `http://127.0.0.1:${open.oneloop.port}/ssh`;
    const upgrade = { connection: "upgrade", upgrade: "websocket", "sec-websocket-version": "13" };
    const key = { "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" };
    const ask = async (headers: Record<string, string>): Promise<string> => {
      const lines = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
      const code = ["-s", "-o", "/dev/null", "-w", "%{http_code}"];
      return (await run("curl", [...code, ...lines, url])).stdout;
    };
    expect(await ask({ ...upgrade, ...key })).toBe("401");
    expect(await ask({ ...upgrade, ...key, authorization: "Bearer oneloop_x" })).toBe("401");
    expect(await ask({ ...upgrade, ...key, origin: "https://example.org" })).toBe("403");
    expect(await ask({ ...upgrade, ...key, host: "example.org" })).toBe("403");
  });

  test.each([[[]], [["--over-https"]]])(
    "loop config-ssh %s: ssh <workspace>.loop works, the user's lines stay, and --remove undoes it",
    async (how) => {
      const home = join(open.folder, `home${how.join("")}`);
      const config = join(home, ".ssh/config");
      await mkdir(join(home, ".ssh"), { recursive: true, mode: 0o700 });
      const own = `Host *\n  IdentityFile ${open.folder}/key\n  IdentitiesOnly yes\n`;
      await writeFile(config, own, { mode: 0o600 });
      const env = { ...open.oneloop.env, HOME: home };
      const configSsh = (...args: string[]): Promise<CommandResult> =>
        run(process.execPath, [loop, "config-ssh", ...args], { env });
      expect(await configSsh("--yes", ...how)).toMatchObject({ exitCode: 0, stderr: "" });
      expect((await readFile(config, "utf8")).endsWith(own)).toBe(true);
      const said = await run("ssh", ["-F", config, `${open.ws.name}.loop`, "echo by name"], {
        env,
      });
      expect(said).toMatchObject({ exitCode: 0, stdout: "by name\n" });
      expect(await configSsh("--remove")).toMatchObject({ exitCode: 0, stderr: "" });
      expect(await readFile(config, "utf8")).toBe(own);
    },
  );
});
