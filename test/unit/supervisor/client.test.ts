import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { build } from "rolldown";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import type { ControlEnd } from "../../helpers/control-end.ts";
import { testSupervisor } from "./harness.ts";

// The programs themselves, as processes.
const root = join(import.meta.dirname, "../../..");
let folder: string;
let program: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-client-"));
  program = join(folder, "client.mjs");
  await build({
    input: join(root, "workspace-image/client/main.ts"),
    platform: "node",
    logLevel: "silent",
    output: { file: program, format: "esm", codeSplitting: false },
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(socket: string, args: readonly string[], input = ""): Promise<Ran> {
  const child = spawn(process.execPath, [program, ...args], { env: { ONELOOP_SOCKET: socket } });
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const exit = new Promise<number | null>((resolve) => {
    child.on("close", (code) => resolve(code));
  });
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { code, stdout, stderr };
}

/** A workspace whose control plane answers `result` to everything; gives what was asked. */
async function answered(args: readonly string[], result: unknown, input = "") {
  await using supervisor = await testSupervisor();
  using control = await supervisor.control();
  control.onAsk = () => result;
  const ran = await run(supervisor.socket, args, input);
  return { ...ran, asks: control.of("ask").map(({ ask }) => ask) };
}

const port = {
  port: 3000,
  protocol: "http",
  visibility: "private",
  url: "http://3000-govapp.localhost:7700/",
  listening: true,
  service: null,
  process: "no\u001B[31mde\u0007",
  name: null,
} as const;
const summary: WorkspaceSummary = {
  id: "w",
  name: "govapp-main-abc",
  state: "running",
  error: null,
  url: "http://app.localhost:7700/workspaces/w",
  repository: "https://example.org/acme/govapp",
  branch: "main\u009B2J",
  ref: "refs/heads/main",
  commit: "0".repeat(40),
  behind: 2,
  work: { head: null, uncommitted: 1, unpushed: 2, stashes: 0, at: "2026-01-01T00:00:00Z" },
  createdAt: "2026-01-01T00:00:00Z",
  lastUsedAt: "2026-01-01T00:00:00Z",
  ssh: { host: "127.0.0.1", port: 7722, user: "govapp-main-abc" },
  ports: [port, { ...port, port: 5432, service: "database", listening: false, name: "sql" }],
  services: [],
};

test("loop ports is a table; what a program calls itself cannot steer the terminal", async () => {
  const { code, stdout, asks } = await answered(["loop", "ports"], summary);
  expect(asks).toEqual([{ kind: "show" }]);
  expect(code).toBe(0);
  expect(stdout.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
    ["PORT", "PROCESS", "NAME", "LISTENING", "VISIBILITY", "URL"],
    ["3000", "node", "-", "yes", "private", port.url],
    ["5432 of database", "node", "sql", "no", "private", port.url],
    [""],
  ]);
  const none = await answered(["loop", "ports"], { ...summary, ports: [] });
  expect(none).toMatchObject({ code: 0, stdout: "Nothing listens on a port yet.\n" });
});

test("--json is what the control plane said, and cannot steer the terminal either", async () => {
  const ports = await answered(["loop", "ports", "--json"], summary);
  expect(JSON.parse(ports.stdout)).toEqual(summary.ports);
  const show = await answered(["loop", "show", "--json"], summary);
  expect(JSON.parse(show.stdout)).toEqual(summary);
  expect(ports.stdout + show.stdout).not.toMatch(/[^\P{Cc}\n]/u);
});

test("loop show says what the workspace is", async () => {
  const { stdout } = await answered(["loop", "show"], summary);
  expect(stdout).not.toMatch(/[^\P{Cc}\n]/u);
  for (const part of [
    "name        govapp-main-abc",
    "state       running",
    "main2J (the remote has 2 newer commits)",
    "1 uncommitted files, 2 unpushed commits, 0 stashes",
    "ssh -p 7722 govapp-main-abc@127.0.0.1",
    "  3000 ",
  ]) {
    expect(stdout).toContain(part);
  }
});

test("loop url gives an address alone", async () => {
  const plain = await answered(["loop", "url", "3000"], { url: port.url });
  expect(plain).toMatchObject({ code: 0, stdout: `${port.url}\n`, stderr: "" });
  expect(plain.asks).toEqual([{ kind: "url", port: 3000, service: null }]);
  const service = await answered(["loop", "url", "5432", "database"], { url: port.url });
  expect(service.asks).toEqual([{ kind: "url", port: 5432, service: "database" }]);
});

const stopping = "The workspace is stopping. Home and source are kept.\n";

test("loop stop needs no answer: the end may come first", async () => {
  expect(await answered(["loop", "stop"], {})).toMatchObject({ code: 0, stdout: stopping });
  const path = join(folder, "ending.sock");
  const server = createServer((socket) => socket.once("data", () => socket.destroy())).listen(path);
  expect(await run(path, ["loop", "stop"])).toMatchObject({ code: 0, stdout: stopping });
  expect(await run(path, ["loop", "show"])).toMatchObject({ code: 2, stdout: "" });
  server.close();
});

test.each([
  [["frobnicate"], "frobnicate"],
  [["url"], "a port"],
  [["url", "0"], "a port"],
  [["url", "70000"], "a port"],
  [["url", "1", "a", "b"], "a port"],
  [["ports", "--jsn"], "--jsn"],
  [["stop", "--force"], "nothing more"],
])("loop %j is wrong usage, and says so without asking", async (args, words) => {
  const { code, stdout, stderr, asks } = await answered(["loop", ...args], {});
  expect({ code, stdout, asks }).toEqual({ code: 2, stdout: "", asks: [] });
  expect(stderr).toContain(words);
  expect(stderr).toContain("loop --help");
});

test("help has examples", async () => {
  for (const args of [["--help"], ["help"], [], ["ports", "-h"]]) {
    const { code, stdout } = await run("/none", ["loop", ...args]);
    expect(code).toBe(0);
    expect(stdout).toContain("$ loop url 5432 database");
  }
});

test("an error is the control plane's sentence; the answer no is 1, all else 2", async () => {
  await using supervisor = await testSupervisor();
  using control = await supervisor.control();
  const refused = async (code: "not-found" | "forbidden", args: readonly string[]) => {
    const ran = run(supervisor.socket, args);
    const { id } = await control.ask(control.of("ask").length);
    control.refuse(id, code, "There is no \u001B[1mservice\u001B[0m db.");
    return ran;
  };
  const url = ["loop", "url", "1", "db"];
  expect(await refused("not-found", url)).toEqual({
    code: 1,
    stdout: "",
    stderr: "loop: There is no service db.\n",
  });
  expect(await refused("forbidden", url)).toMatchObject({ code: 2 });
  const json = await refused("forbidden", ["loop", "show", "--json"]);
  expect(json).toMatchObject({ code: 2, stderr: "" });
  expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: "forbidden" } });
});

test("without a control plane, and outside of a workspace, the error says what to do", async () => {
  await using supervisor = await testSupervisor();
  const away = await run(supervisor.socket, ["loop", "ports"]);
  expect(away).toMatchObject({ code: 2, stdout: "" });
  expect(away.stderr).toContain("not connected just now. Try again in a moment.");
  const outside = await run(join(folder, "none.sock"), ["loop", "ports"]);
  expect(outside).toMatchObject({ code: 2, stdout: "" });
  expect(outside.stderr).toContain("works in a terminal of a Oneloop workspace");
});

const helper = "git-credential-oneloop";
const secret = { username: "ada", password: "s3cr=t ü" };

/** What git itself gets when it wants a credential. */
async function fill(socket: string, input: string): Promise<Ran> {
  const config = join(folder, "gitconfig");
  const command = `!'${process.execPath}' '${program}' ${helper}`;
  await writeFile(config, `[credential]\n\thelper = "${command}"\n`);
  const env = {
    PATH: process.env["PATH"] ?? "",
    GIT_CONFIG_SYSTEM: config,
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_TERMINAL_PROMPT: "0",
    ONELOOP_SOCKET: socket,
  };
  const child = promisify(execFile)("git", ["credential", "fill"], { env });
  child.child.stdin?.end(input);
  return child.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: Ran) => ({ code, stdout, stderr }),
  );
}

async function filled(control: ControlEnd, socket: string, result: unknown): Promise<Ran> {
  control.onAsk = () => result;
  return fill(socket, "protocol=https\nhost=git.example.org:8443\n\n");
}

test("git gets the stored credential, or asks by itself where there is none", async () => {
  await using supervisor = await testSupervisor();
  using control = await supervisor.control();
  const { code, stdout, stderr } = await filled(control, supervisor.socket, secret);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.split("\n")).toEqual(
    expect.arrayContaining([`username=${secret.username}`, `password=${secret.password}`]),
  );
  expect(control.of("ask").map(({ ask }) => ask)).toEqual([
    { kind: "credential", protocol: "https", host: "git.example.org:8443", path: null },
  ]);
  const none = await filled(control, supervisor.socket, null);
  expect(none.code).toBe(128);
  expect(none.stderr).toContain("could not read Username");
});

test("what would be more than a line is not given to git, and is not printed", async () => {
  await using supervisor = await testSupervisor();
  using control = await supervisor.control();
  for (const bad of [
    { username: "a", password: "hidden\nhost=evil" },
    { username: "a\nx=hidden", password: "b" },
    { username: "a", password: 7 },
    "hidden",
  ]) {
    control.onAsk = () => bad;
    const ran = await run(supervisor.socket, [helper, "get"], "protocol=https\nhost=h\n");
    expect(ran).toMatchObject({ code: 2, stdout: "" });
    expect(ran.stderr).not.toContain("hidden");
  }
});

test("store and erase do nothing; what git says too long is not asked for", async () => {
  const input = "protocol=https\nhost=h\nusername=u\npassword=p\n";
  for (const operation of ["store", "erase", "capability"]) {
    const ran = await answered([helper, operation], secret, input);
    expect(ran).toMatchObject({ code: 0, stdout: "", stderr: "", asks: [] });
  }
  const long = `protocol=https\nhost=${"h".repeat(301)}\n`;
  expect(await answered([helper, "get"], secret, long)).toMatchObject({ stdout: "", asks: [] });
  const path = await answered([helper, "get"], secret, "protocol=https\nhost=h\npath=a/b.git\n");
  expect(path.asks).toMatchObject([{ path: "a/b.git" }]);
});
