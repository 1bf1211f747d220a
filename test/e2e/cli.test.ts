import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn as spawnPty } from "node-pty";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { WorkspaceDetail } from "../../server/protocol/workspace.ts";
import { docker } from "../helpers/engine-objects.ts";
import { git } from "../helpers/git.ts";
import { buildGovappImages, createGovappRepository } from "../helpers/govapp.ts";
import { Installation, root, run, type CommandResult } from "../helpers/installation.ts";
import { freePort } from "../helpers/ports.ts";

const program = join(root, "cli/bin/loop.js");

let folder: string;
let home: string;
let repository: { path: string; url: string };
let oneloop: Installation;
/** As a user has it: a home of their own, without the signs of a test. */
let env: NodeJS.ProcessEnv;
let ws: WorkspaceDetail;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-cli-"));
  home = join(folder, "home");
  await mkdir(join(home, ".ssh"), { recursive: true, mode: 0o700 });
  await writeFile(
    join(home, ".gitconfig"),
    "[user]\n\tname = Ada Example\n\temail = ada@example.org\n",
  );
  const key = join(home, ".ssh/id_ed25519");
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
  repository = await createGovappRepository(folder);
  oneloop = await Installation.start();
  env = { ...oneloop.env, HOME: home, XDG_CACHE_HOME: join(folder, "cache"), TERM: "xterm" };
  delete env["NO_COLOR"];
  delete env["GIT_CONFIG_GLOBAL"];
  await buildGovappImages(docker);
});

afterAll(async () => {
  await oneloop?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function loop(args: readonly string[], input = ""): Promise<CommandResult> {
  return run(process.execPath, [program, ...args], { env, input });
}

async function loopJson<Value>(args: readonly string[], input = ""): Promise<Value> {
  const { exitCode, stdout, stderr } = await loop([...args, "--json"], input);
  expect(exitCode, `${stdout}\n${stderr}`).toBe(0);
  return JSON.parse(stdout) as Value;
}

/** Runs `loop` on a terminal of 80 columns; `answers` are typed when what they belong to is shown. */
async function onTerminal(
  args: readonly string[],
  answers: readonly (readonly [question: string, answer: string])[] = [],
): Promise<{ exitCode: number; shown: string }> {
  const terminal = spawnPty(process.execPath, [program, ...args], {
    ...{ cols: 80, rows: 24, cwd: folder, env },
  });
  let shown = "";
  let next = 0;
  let seen = 0;
  terminal.onData((text) => {
    shown += text;
    const [question = "", answer = ""] = answers[next] ?? [];
    const at = question === "" ? -1 : shown.indexOf(question, seen);
    if (at === -1) return;
    seen = at + question.length;
    next += 1;
    terminal.write(answer);
  });
  const { exitCode } = await new Promise<{ exitCode: number }>((resolve) => {
    terminal.onExit(resolve);
  });
  return { exitCode, shown };
}

describe("opening", () => {
  it("shows the mistakes of one's own devfile with a caret, by its own name", async () => {
    const file = join(folder, "mine.yaml");
    const devfile = `schemaVersion: 2.2.2
components:
  - name: dev
    container:
      image: govapp/front-end:dev
      memoryLimit: lots
`;
    await writeFile(file, devfile);
    const { exitCode, stderr, stdout } = await loop(["open", repository.url, "--devfile", file]);
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(`${file}:6:20: bad-quantity: `);
    expect(stderr).toMatch(/6 \| {7}memoryLimit: lots\n +\| {20}\^{4}\n/);
    expect(await loopJson(["list"])).toEqual([]);
  });

  it("asks once who commits, and shows in place what happens", async () => {
    const { exitCode, shown } = await onTerminal(
      ["open", repository.url],
      [
        ["Name [Ada Example]: ", "\r"],
        ["E-mail [ada@example.org]: ", "grace@example.org\r"],
      ],
    );
    expect(exitCode, shown).toBe(0);
    expect(shown).toContain("\r\u001B[K… asking the repository (");
    expect(shown).toContain("\r\u001B[K… starting (");
    expect(shown).toMatch(/govapp-main-[a-z]{3}: ready in \d/);
    expect(await loopJson(["profile"])).toMatchObject({
      commitName: "Ada Example",
      commitEmail: "grace@example.org",
    });
    const [listed] = await loopJson<WorkspaceDetail[]>(["list"]);
    ws = await loopJson<WorkspaceDetail>(["show", listed?.name ?? ""]);
    expect(ws.state).toBe("running");
    const again = await onTerminal(["open", repository.url]);
    expect(again.shown).not.toContain("E-mail");
  });

  it("says of the workspace that is there how many commits it is behind", async () => {
    const work = join(folder, "work");
    await git(folder, "clone", "--quiet", repository.path, work);
    await writeFile(join(work, "NEWS.md"), "news\n");
    await git(work, "add", "-A");
    await git(work, "commit", "--quiet", "-m", "News");
    await git(work, "push", "--quiet");
    const refreshed = await loopJson<{ behind: number }>(["refresh", ws.name]);
    expect(refreshed.behind).toBe(1);
    const { stdout } = await loop(["open", repository.url]);
    expect(stdout).toContain("1 commit behind: `git pull` in it brings it\n");
  });
});

describe("what is printed", () => {
  it("fits 80 columns and is coloured on a terminal alone, where NO_COLOR does not say no", async () => {
    const { shown } = await onTerminal(["list"]);
    expect(shown).toContain("\u001B[32mrunning\u001B[0m");
    // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
    const lines = shown.replaceAll(/\u001B\[\d+m/g, "").split(/\r?\n/);
    expect(lines.find((line) => line.includes("running"))?.length).toBeLessThanOrEqual(80);
    expect(lines[0]?.indexOf("STATE")).toBe(lines[1]?.indexOf("running"));
    env["NO_COLOR"] = "1";
    expect((await onTerminal(["list"])).shown).not.toContain("\u001B[32m");
    delete env["NO_COLOR"];
    const piped = await loop(["list"]);
    expect(piped.stdout).toContain(repository.url);
    expect(piped.stdout).not.toContain("\u001B");
  });

  it("services, ports and events of a workspace, each as JSON too", async () => {
    const services = await loopJson<{ name: string }[]>(["services", ws.name]);
    expect(services.map(({ name }) => name)).toEqual(["front-end", "back-end", "database"]);
    expect((await loop(["services", ws.name])).stdout).toMatch(/^database +running /m);
    const events = await loopJson<{ level: string }[]>(["logs", ws.name]);
    expect(events.length).toBeGreaterThan(1);
    expect((await loop(["logs", ws.name])).stdout.trim().split("\n")).toHaveLength(events.length);
  });

  it("a port's visibility is set by its number, and a wrong one is refused with all that are right", async () => {
    const ports = await loopJson<{ port: number; visibility: string }[]>([
      ...["ports", ws.name, "--set", "3000=signed-in", "--set", "3001=public"],
    ]);
    const visibility = (wanted: number) => ports.find(({ port }) => port === wanted)?.visibility;
    expect([visibility(3000), visibility(3001)]).toEqual(["signed-in", "public"]);
    const wrong = await loop(["ports", ws.name, "--set", "3000=everybody", "--json"]);
    expect(wrong.exitCode).toBe(2);
    expect(JSON.parse(wrong.stdout)).toMatchObject({
      error: { code: "usage", message: expect.stringContaining("private, signed-in, public") },
    });
  });

  it("`logs -f` goes on with what happens, an object a line", async () => {
    const child = spawn(process.execPath, [program, "logs", ws.name, "-f", "--json"], { env });
    const before = (await loopJson<unknown[]>(["logs", ws.name])).length;
    let printed = "";
    const lines = (): { code: string }[] =>
      printed
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as { code: string });
    const until = (count: number) =>
      new Promise<void>((resolve) => {
        const look = (): void => void (lines().length >= count && resolve());
        child.stdout.on("data", look);
        look();
      });
    child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
    await until(before);
    expect((await loop(["stop", ws.name])).exitCode).toBe(0);
    await until(before + 1);
    child.kill("SIGINT");
    await once(child, "close");
    expect((await loop(["start", ws.name])).stdout).toContain(": ready in ");
  });
});

describe("the person", () => {
  it("a secret comes from standard input or unseen from a terminal, never from the command line", async () => {
    const stored = await loop(
      ["credentials", "set", "git.example.org", "--username", "ada"],
      "s3\n",
    );
    expect(stored.stdout).toBe("Stored for git.example.org, as ada.\n");
    const typed = await onTerminal(
      ["variables", "set", "NPM_TOKEN", "--secret"],
      [["Value of NPM_TOKEN: ", "hunter2\r"]],
    );
    expect(typed.exitCode, typed.shown).toBe(0);
    expect(typed.shown).not.toContain("hunter2");
    const given = await loop(["variables", "set", "NPM_TOKEN=hunter2", "--secret"]);
    expect(given.exitCode).toBe(2);
    await loop(["variables", "set", "EDITOR=vim", "--pattern", "github.com/acme/*"]);
    expect(await loopJson(["variables", "list"])).toEqual([
      expect.objectContaining({ name: "EDITOR", value: "vim", pattern: "github.com/acme/*" }),
      expect.objectContaining({ name: "NPM_TOKEN", value: null, secret: true }),
    ]);
    expect((await loop(["variables", "remove", "EDITOR"])).exitCode).toBe(0);
    expect((await loop(["credentials", "remove", "git.example.org"])).exitCode).toBe(0);
    expect(await loopJson(["credentials", "list"])).toEqual([]);
  });

  it("another person gets a link, signs in with it, and sees nothing of the first", async () => {
    const { stdout } = await loop(["users", "add", "grace"]);
    const [link = ""] = stdout.split("\n");
    expect(link).toMatch(/\/sign-in#\S+$/);
    const hers = { ...env, ONELOOP_CONFIG_DIR: join(folder, "grace") };
    const asGrace = (args: string[], input = "") =>
      run(process.execPath, [program, ...args], { env: hers, input });
    const signedIn = await asGrace(["login"], `${link}\n`);
    expect(signedIn.stdout, signedIn.stderr).toContain("as grace.");
    expect(JSON.parse((await asGrace(["list", "--json"])).stdout)).toEqual([]);
    expect((await asGrace(["users", "list"])).exitCode).toBe(2);
    const people = await loopJson<{ name: string }[]>(["users", "list"]);
    expect(people.map(({ name }) => name)).toContain("grace");

    const [own] = JSON.parse((await asGrace(["sessions", "list", "--json"])).stdout) as {
      id: string;
      current: boolean;
    }[];
    expect(own?.current).toBe(true);
    expect((await asGrace(["sessions", "revoke", own?.id ?? ""])).exitCode).toBe(0);
    expect((await loop(["users", "invite", "grace"])).stdout).toMatch(/\/sign-in#/);
    expect((await loop(["users", "remove", "grace"])).stdout).toBe("Removed grace.\n");
  });

  it("completion gets the names of workspaces, and nothing without a sign-in", async () => {
    expect((await loop(["workspace-names"])).stdout).toBe(`${ws.name}\n`);
    const config = join(folder, "nobody");
    const signedOut = { ...env, ONELOOP_CONFIG_DIR: config };
    const nobody = await run(process.execPath, [program, "workspace-names"], { env: signedOut });
    expect(nobody).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    // Not even by the code in the data folder, as other commands are.
    await expect(readFile(join(config, "config.json"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("ssh", () => {
  const key = (): string[] => ["-o", `IdentityFile=${join(home, ".ssh/id_ed25519")}`];

  it("`config-ssh` lets plain ssh in, keeps the file as it was, and is undone to the byte", async () => {
    expect((await loop(["keys", "add"])).stdout).toContain("ssh-ed25519");
    const config = join(home, ".ssh/config");
    const before = `Host *\n  IdentityFile ${join(home, ".ssh/id_ed25519")}\n\n# Grüße\n`;
    await writeFile(config, before);
    await chmod(config, 0o600);
    const unasked = await loop(["config-ssh"]);
    expect(unasked.exitCode).toBe(2);
    expect(unasked.stderr).toContain("loop config-ssh --yes");
    expect(await readFile(config, "utf8")).toBe(before);

    expect((await loop(["config-ssh", "--yes"])).exitCode).toBe(0);
    const once = await readFile(config, "utf8");
    expect((await loop(["config-ssh"])).exitCode).toBe(0);
    expect(await readFile(config, "utf8")).toBe(once);
    const ssh = await run("ssh", [
      "-F",
      config,
      `${ws.name}.loop`,
      "git -C /workspace/govapp log -1",
    ]);
    expect(ssh).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("service portal") });
    expect((await loop(["config-ssh", "--remove"])).exitCode).toBe(0);
    expect(await readFile(config, "utf8")).toBe(before);
  });

  it("`port-forward` brings ports here, says so when they are there, and ends with Ctrl+C", async () => {
    const [web, database] = [await freePort(), await freePort()];
    // The user's own ssh finds this key in the password file's home; here it is another.
    const bin = join(folder, "bin");
    await mkdir(bin);
    await writeFile(
      join(bin, "ssh"),
      `#!/bin/sh\nexec /usr/bin/ssh -F none ${key().join(" ")} "$@"\n`,
    );
    await chmod(join(bin, "ssh"), 0o755);
    const child = spawn(
      process.execPath,
      [program, "port-forward", ws.name, `${web}:3000`, `${database}:database:5432`],
      // A process group, as a shell gives one to what it starts: Ctrl+C is for all of it.
      { env: { ...env, PATH: `${bin}:${env["PATH"] ?? ""}` }, detached: true },
    );
    const closed = once(child, "close");
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (printed += text));
    }
    await new Promise<void>((resolve, reject) => {
      child.stderr.on("data", () => printed.includes("Ctrl+C ends it.") && resolve());
      child.once("close", () => reject(new Error(printed)));
    });
    expect(printed).toContain(`127.0.0.1:${web} → port 3000 of ${ws.name}\n`);
    expect(printed).toContain(`127.0.0.1:${database} → database:5432 of ${ws.name}\n`);
    const status = await new Promise<number>((resolve, reject) => {
      get({ port: web, host: "127.0.0.1", path: "/" }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      }).once("error", reject);
    });
    expect(status).toBe(200);
    process.kill(-(child.pid ?? 0), "SIGINT");
    expect((await closed)[0], printed).toBe(0);
  });
});

describe("doctor", () => {
  it("finds its own control plane, and a volume that no workspace has", async () => {
    const name = `oneloop-${oneloop.id}-gone-home`;
    await docker.createVolume({
      Name: name,
      Labels: { "oneloop.installation": oneloop.id, "oneloop.workspace": "gone" },
    });
    interface Check {
      name: string;
      status: string;
      detail: string;
    }
    const { stdout } = await loop(["doctor", "--json"]);
    const { checks } = JSON.parse(stdout) as { checks: Check[] };
    const of = (wanted: string) => checks.find((check) => check.name === wanted);
    expect(of("Control plane")).toMatchObject({ status: "ok" });
    expect(of(`Port ${oneloop.port}`)).toMatchObject({ status: "ok" });
    expect(of(`Port ${oneloop.sshPort}`)).toMatchObject({ status: "ok" });
    expect(of("Docker")?.detail).toMatch(/^engine \d/);
    expect(of("Leftovers")).toMatchObject({
      status: "warn",
      detail: `volumes without a workspace: ${name}`,
    });
    // It removed nothing.
    expect((await docker.getVolume(name).inspect()).Name).toBe(name);
  });

  it("runs without the control plane, and ends with 1 where something is bad", async () => {
    await oneloop.stop();
    const { exitCode, stdout } = await loop(["doctor"]);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^✗ Control plane: .*\n {4}.*\n {4}→ npm start$/m);
    expect(stdout).toMatch(new RegExp(`^✓ Port ${oneloop.port}: free`, "m"));
  });
});

describe("`loop drift`", () => {
  const govapp = "test/fixtures/govapp";
  const drift = (...args: string[]) =>
    run(process.execPath, ["cli/bin/loop.js", "drift", ...args], { cwd: root });

  it("compares files of this machine without a control plane, for people and programs", async () => {
    const people = await drift(`${govapp}/devfile.yaml`, `${govapp}/k8s`);
    expect(people.exitCode).toBe(1);
    const lines = people.stdout.split("\n");
    expect(lines[0]).toMatch(/^\d+ breaking differences that nobody has acknowledged$/);
    expect(lines.filter((line) => line.length > 80 && !line.includes(govapp))).toEqual([]);
    expect(people.stdout).toMatch(
      /front-end: The memory limit differs\.\n +A +1Gi +\S+devfile\.yaml:14/,
    );
    const json = await drift(`${govapp}/devfile.yaml`, `${govapp}/k8s`, "--json");
    expect(JSON.parse(json.stdout)).toMatchObject({ version: 1 });
    const sarif = await drift(`${govapp}/devfile.yaml`, `${govapp}/k8s`, "--format", "sarif");
    expect(JSON.parse(sarif.stdout)).toMatchObject({ version: "2.1.0" });
  });

  it("of a file with itself is nothing, and of what cannot be read ends with 2", async () => {
    const same = await drift(`${govapp}/compose.yaml`, `${govapp}/compose.yaml`);
    expect(same.exitCode).toBe(0);
    expect(same.stdout).toMatch(/^0 breaking differences/);
    const missing = await drift(`${govapp}/compose.yaml`, "nowhere");
    expect(missing.exitCode).toBe(2);
    expect(missing.stderr).toContain("There is no nowhere");
  });
});
