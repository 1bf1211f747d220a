import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type {
  PersonView,
  SessionView,
  WorkspaceDetail,
} from "../../../server/protocol/workspace.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { byCode, typist } from "../../helpers/askpass.ts";
import { Installation, root, run, type CommandResult } from "../../helpers/installation.ts";
import { throwawayPostgres, type ThrowawayPostgres } from "../../helpers/postgres.ts";
import { makeRepository } from "../../helpers/repositories.ts";

const lifetime = new Lifetime();
let folder: string;
let postgres: ThrowawayPostgres;
let oneloop: Installation;
let ws: WorkspaceDetail;

/** An owner without any key, and their workspace; codes are turned on. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-codes-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  await makeRepository(folder, "coded", { files: { "README.md": "coded\n" } });
  postgres = lifetime.own(await throwawayPostgres());
  const env = { ONELOOP_SSH_CODES: "on", DATABASE_URL: postgres.url };
  oneloop = lifetime.own(await Installation.start({ env }));
  ws = await oneloop.loopJson<WorkspaceDetail>("open", `file://${join(folder, "coded.git")}`);
});

afterAll(() => lifetime[Symbol.asyncDispose]());

/** `loop`, as somebody else on this machine who has signed in on their own. */
function loopAs(who: string, args: readonly string[], input = ""): Promise<CommandResult> {
  const env = { ...oneloop.env, ONELOOP_CONFIG_DIR: join(folder, who), ONELOOP_DATA_DIR: folder };
  return run(process.execPath, [join(root, "cli/bin/loop.js"), ...args], { env, input });
}

async function signInAs(who: string, link: string): Promise<void> {
  const said = await loopAs(who, ["login"], `${link}\n`);
  expect(said, oneloop.log()).toMatchObject({ exitCode: 0 });
}

async function newCode(): Promise<string> {
  return (await oneloop.loopJson<{ code: string }>("keys", "code")).code;
}

async function start(code: string, command: string): Promise<ChildProcessWithoutNullStreams> {
  const { env } = await typist(folder, code);
  const args = [
    ...["-F", "none", "-o", "IdentityAgent=none", "-o", "NumberOfPasswordPrompts=1", ...byCode],
    ...["-o", `UserKnownHostsFile=${join(folder, "known_hosts")}`],
    ...["-o", "StrictHostKeyChecking=accept-new", "-p", String(oneloop.sshPort)],
    ...[`${ws.name}@127.0.0.1`, command],
  ];
  const child = spawn("ssh", args, { env });
  lifetime.defer(() => child.kill("SIGKILL"));
  return child;
}

async function ssh(code: string, command: string): Promise<CommandResult> {
  const child = await start(code, command);
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin.end();
  const [exitCode] = (await once(child, "close")) as [number];
  return { exitCode, stdout, stderr };
}

/** How often the gateway has refused for this reason, as its owner reads it. */
async function refusals(reason: string): Promise<number> {
  const config = join(oneloop.env["ONELOOP_CONFIG_DIR"] ?? "", "config.json");
  const token = /oneloop_[\w-]+/.exec(await readFile(config, "utf8"))?.[0];
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`http://127.0.0.1:${oneloop.port}/metrics`, { headers });
  return Number(new RegExp(`reason="${reason}"} (\\d+)`).exec(await answer.text())?.[1]);
}

describe("a one-time code, where it is allowed", () => {
  const refused = {
    exitCode: 255,
    stderr: expect.stringContaining("Permission denied (publickey,keyboard-interactive)."),
  };

  test("signs in who has no key, once", async () => {
    const code = await newCode();
    expect(await ssh(code, "echo in")).toMatchObject({ exitCode: 0, stdout: "in\n" });
    const before = await refusals("wrong-code");
    expect(await ssh(code, "echo in")).toMatchObject(refused);
    expect(await refusals("wrong-code")).toBe(before + 1);
  });

  test("may be typed in capitals and without its dashes", async () => {
    const code = (await newCode()).toUpperCase().replaceAll("-", "");
    expect(await ssh(code, "echo in")).toMatchObject({ exitCode: 0, stdout: "in\n" });
  });

  test("is of no use when its time is over", async () => {
    const code = await newCode();
    const client = new Client({ connectionString: postgres.url });
    await client.connect();
    // Five minutes pass.
    await client.query("update ssh_codes set expires_at = expires_at - interval '5 minutes'");
    await client.end();
    expect(await ssh(code, "echo in")).toMatchObject(refused);
  });

  test("opens no workspace of somebody else's", async () => {
    const { link } = await oneloop.loopJson<{ link: string }>("users", "add", "bob");
    await signInAs("bob", link);
    const { stdout } = await loopAs("bob", ["keys", "code", "--json"]);
    const { code } = JSON.parse(stdout) as { code: string };
    const { exitCode, stdout: said, stderr } = await ssh(code, "echo in");
    expect({ exitCode, said }).toEqual({ exitCode: 255, said: "" });
    expect(stderr).toContain(`You have no workspace`);
  });

  test("lets in as long as the session that asked for it lasts, and a second no longer", async () => {
    const people = await oneloop.loopJson<PersonView[]>("users", "list");
    const { name = "" } = people.find(({ role }) => role === "owner") ?? {};
    const { link } = await oneloop.loopJson<{ link: string }>("users", "invite", name);
    await signInAs("elsewhere", link);
    const { stdout } = await loopAs("elsewhere", ["keys", "code"]);
    const child = await start(stdout.trim(), "echo ready; exec cat");
    await once(child.stdout, "data");
    const ended = once(child, "close");
    const sessions = await oneloop.loopJson<SessionView[]>("sessions", "list");
    const { id = "" } = sessions.find(({ current }) => !current) ?? {};
    let revokedAt = 0;
    const revoked = oneloop.loop("sessions", "revoke", id).then(({ exitCode }) => {
      revokedAt = performance.now();
      return exitCode;
    });
    expect((await ended)[0]).toBe(255);
    const endedAt = performance.now();
    expect(await revoked).toBe(0);
    expect(endedAt - revokedAt).toBeLessThan(1000);
  });

  // The last one: what it does is not forgotten for a minute.
  test("is not guessed: a storm of wrong ones is limited, and ends no live connection", async () => {
    const live = await start(await newCode(), "echo ready; exec cat");
    await once(live.stdout, "data");
    const good = await newCode();
    for (let tries = 0; (await refusals("wrong-keys-near")) === 0; tries += 1) {
      expect(tries).toBeLessThan(40);
      expect((await ssh("bcdf-ghjk-mnpq-rstv", "true")).exitCode).toBe(255);
    }
    expect((await ssh(good, "true")).exitCode).toBe(255);
    const echoed = once(live.stdout, "data");
    live.stdin.write("still here\n");
    expect(String((await echoed)[0])).toBe("still here\n");
  });
});
