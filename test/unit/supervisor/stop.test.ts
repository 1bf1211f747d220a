import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { request, type IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "rolldown";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ReadyLine, supervisorConfigVariable } from "../../../server/protocol/supervisor.ts";
import { freePort } from "../../helpers/ports.ts";
import { signer, testSupervisor, workspace } from "./harness.ts";
import { stopwatch } from "../../helpers/stopwatch.ts";

// The program itself, as a process.
const root = join(import.meta.dirname, "../../..");
let folder: string;
beforeAll(async () => {
  // Under the checkout's dist, so that node-pty is found.
  folder = await mkdtemp(join(root, "dist/supervisor-test-"));
  await build({
    input: join(root, "workspace-image/supervisor/main.ts"),
    platform: "node",
    external: ["bufferutil", "utf-8-validate"],
    logLevel: "silent",
    output: { file: join(folder, "supervisor.mjs"), format: "esm", codeSplitting: false },
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function start(config: object | string, port = 0) {
  const child = spawn(process.execPath, [join(folder, "supervisor.mjs")], {
    env: {
      [supervisorConfigVariable]: typeof config === "string" ? config : JSON.stringify(config),
      ONELOOP_SUPERVISOR_PORT: String(port),
      ONELOOP_SUPERVISOR_RUN: folder,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { child, lines: createInterface({ input: child.stdout }), exit: once(child, "exit") };
}

/** The first setup starts the tasks. */
async function setUp(port: number, boot: string): Promise<void> {
  const claims = { workspace, boot, actor: "tester", action: "setup", readOnly: false } as const;
  const headers = { host: "supervisor", authorization: signer().sign(claims) };
  const outgoing = request({ port, method: "POST", path: "/setup", agent: false, headers });
  outgoing.end(JSON.stringify({ env: {}, git: null }));
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  expect(response.statusCode).toBe(204);
}

const config = {
  workspace,
  publicKey: signer().publicKey,
  cwd: "/",
  home: tmpdir(),
  shell: null,
  env: {},
  tasks: [] as object[],
  imageCommand: [],
};

test("one line says that it is ready, and TERM ends it at once when nothing runs", async () => {
  const { child, lines, exit } = start(config);
  const [line] = (await once(lines, "line")) as [string];
  expect(ReadyLine.parse(JSON.parse(line)).boot).toMatch(/^[\w-]{36}$/);
  const tookMs = stopwatch();
  child.kill("SIGTERM");
  expect(await exit).toEqual([0, null]);
  expect(tookMs()).toBeLessThan(1000);
});

test("TERM ends what runs, and then the supervisor", async () => {
  const home = await mkdtemp(join(tmpdir(), "oneloop-stop-"));
  const script =
    "trap 'echo bye > bye; exit 0' TERM; trap '' HUP; echo > up; while :; do sleep 0.05; done";
  const task = {
    name: "server",
    phase: "start",
    in: "dev",
    oncePer: "start",
    needs: [],
    command: ["sh", "-c", script],
    terminal: false,
  };
  const port = await freePort();
  const { child, lines, exit } = start({ ...config, home, cwd: home, tasks: [task] }, port);
  const [line] = (await once(lines, "line")) as [string];
  await setUp(port, ReadyLine.parse(JSON.parse(line)).boot ?? "");
  await expect.poll(() => existsSync(join(home, "up")), { timeout: 10_000 }).toBe(true);
  child.kill("SIGTERM");
  expect(await exit).toEqual([0, null]);
  expect(existsSync(join(home, "bye"))).toBe(true);
  await rm(home, { recursive: true, force: true });
});

test("a configuration that is none is said on standard error", async () => {
  const { child, exit } = start('{"workspace": 1}');
  const [text] = (await once(child.stderr, "data")) as [Buffer];
  expect(text.toString()).toContain("workspace is not a string");
  expect(await exit).toEqual([1, null]);
});

test("what ignores HUP and TERM is killed after the grace", async () => {
  const schedule = { termAfterMs: 100, killAfterMs: 100, stopAfterMs: 100 };
  const supervisor = await testSupervisor({ schedule });
  const script = `trap "" HUP TERM; echo pid-$$-; while :; do sleep 1; done`;
  const { id } = await supervisor.createTerminal(["sh", "-c", script]);
  using client = await supervisor.attach(id);
  await client.untilText("-\r\n");
  const pid = /pid-(\d+)/.exec(client.bytes.toString())?.[1];
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  await supervisor[Symbol.asyncDispose]();
  expect(existsSync(`/proc/${pid}`)).toBe(false);
});
