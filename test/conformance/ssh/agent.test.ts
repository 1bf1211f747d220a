import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { WorkspaceDetail } from "../../../server/protocol/workspace.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { Installation, run, type CommandResult } from "../../helpers/installation.ts";
import { makeRepository } from "../../helpers/repositories.ts";

const lifetime = new Lifetime();
let folder: string;
let oneloop: Installation;
let ws: WorkspaceDetail;

/** A person with a key that only their agent holds, and a workspace of the default image. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-agent-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  const agent = spawn("ssh-agent", ["-D", "-a", join(folder, "agent")]);
  lifetime.defer(() => agent.kill());
  await once(agent.stdout, "data");
  const key = join(folder, "key");
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
  const env = { ...process.env, SSH_AUTH_SOCK: join(folder, "agent") };
  await run("ssh-add", ["-q", key], { env });
  await makeRepository(folder, "signed", { files: { "README.md": "signed\n" } });
  oneloop = lifetime.own(await Installation.start());
  const loop = ["cli/bin/loop.js", "keys", "add", `${key}.pub`];
  await run(process.execPath, loop, { env: oneloop.env });
  ws = await oneloop.loopJson<WorkspaceDetail>("open", `file://${join(folder, "signed.git")}`);
});

afterAll(() => lifetime[Symbol.asyncDispose]());

function ssh(flag: "-A" | "-a", command: string): Promise<CommandResult> {
  return run("ssh", [
    ...["-F", "none", "-o", `IdentityAgent=${join(folder, "agent")}`, "-o", "BatchMode=yes"],
    ...["-o", `UserKnownHostsFile=${join(folder, "known_hosts")}`, "-o", "LogLevel=ERROR"],
    ...["-o", "StrictHostKeyChecking=accept-new", "-p", String(oneloop.sshPort)],
    ...[flag, `${ws.name}@localhost`, command],
  ]);
}

test("in a workspace, the agent's keys are listed and sign a commit, while it is forwarded", async () => {
  const publicKey = (await readFile(join(folder, "key.pub"), "utf8")).trim();
  expect(await ssh("-A", "ssh-add -L")).toMatchObject({ exitCode: 0, stdout: `${publicKey}\n` });
  const git = "git -c user.name=Ada -c user.email=ada@example.org -c gpg.format=ssh";
  const signed = await ssh(
    "-A",
    `echo '${publicKey}' > ~/key.pub && echo "ada@example.org ${publicKey}" > ~/allowed
     ${git} -c user.signingkey=$HOME/key.pub commit -q -S --allow-empty -m signed`,
  );
  expect(signed).toMatchObject({ exitCode: 0, stderr: "" });
  const verified = await ssh(
    "-a",
    "git -c gpg.ssh.allowedSignersFile=$HOME/allowed verify-commit HEAD",
  );
  expect(verified.stderr).toContain('Good "git" signature for ada@example.org');
});

test("its socket is the user's only, and is gone after the connection", async () => {
  const { stdout } = await ssh("-A", 'stat -c "%a %U %n" "$SSH_AUTH_SOCK"; id -un');
  const [mode, owner, path, user] = stdout.trim().split(/\s/);
  expect({ mode, owner }).toEqual({ mode: "600", owner: user });
  expect(path).toMatch(/^\/\.oneloop\/run\/[\w-]+\.sock$/);
  const later = await ssh("-a", `echo [$SSH_AUTH_SOCK]; SSH_AUTH_SOCK=${path} ssh-add -l`);
  expect(later).toMatchObject({ exitCode: 2, stdout: "[]\n" });
});
