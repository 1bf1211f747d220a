import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Screen } from "../../helpers/screen.ts";
import { SshWorkspace } from "../../helpers/ssh-workspace.ts";
import { root, run } from "../../helpers/installation.ts";

vi.setConfig({ testTimeout: 60_000 });

let at: SshWorkspace;
beforeAll(async () => {
  at = await SshWorkspace.start();
});
afterAll(() => at?.[Symbol.asyncDispose]());

/** An ssh-agent of this machine, with the person's key. */
async function startAgent(folder: string): Promise<{ readonly path: string } & Disposable> {
  const path = join(folder, "agent");
  const agent = spawn("ssh-agent", ["-D", "-a", path]);
  await once(agent.stdout, "data");
  const env = { ...process.env, SSH_AUTH_SOCK: path };
  await run("ssh-add", ["-q", join(folder, "key")], { env });
  return { path, [Symbol.dispose]: () => void agent.kill() };
}

/** Resolves when a process of the workspace has ended. */
async function gone(pid: string): Promise<void> {
  await at.ssh(`while kill -0 ${pid} 2> /dev/null; do sleep 0.05; done`);
}

describe("a client that goes away", () => {
  /** Writes down which signals come, and when, in ms; and goes on. */
  const stubborn = (log: string): string => `
    now() { echo $1 $(($(date +%s%N) / 1000000)) >> ${log}; }
    rm -f ${log}; trap 'now HUP' HUP; trap 'now TERM' TERM; now START; echo $$
    while :; do sleep 0.02; done`;

  test.concurrent.each([
    ["with a terminal", ["-tt"]],
    ["without one", ["-T"]],
  ])(
    "its program gets HUP at once, TERM after 2 s, KILL after 5 s more: %s",
    async (_, options) => {
      const log = `~/signals${options[0]}`;
      const child = at.spawn(stubborn(log), options);
      const [pid] = (await once(child.stdout, "data")) as [Buffer];
      const left = Date.now();
      child.kill("SIGKILL");
      await gone(pid.toString().trim());
      const killed = Date.now() - left;
      const { stdout } = await at.ssh(`cat ${log}`);
      const times = new Map(stdout.split("\n").map((line) => line.split(" ") as [string, string]));
      const after = (name: string): number => Number(times.get(name)) - Number(times.get("HUP"));
      expect([...times.keys()].filter((name) => name !== "")).toEqual(["START", "HUP", "TERM"]);
      expect(after("TERM")).toBeGreaterThan(1500);
      expect(after("TERM")).toBeLessThan(4000);
      expect(killed).toBeGreaterThan(6500);
      expect(killed).toBeLessThan(12_000);
    },
  );

  test("what it started in the background and left to itself goes on", async () => {
    const child = at.spawn("sleep 300 & echo $!; wait");
    const [pid] = (await once(child.stdout, "data")) as [Buffer];
    const own = at.spawn("setsid sleep 300 > /dev/null 2>&1 & echo $!; cat");
    const [free] = (await once(own.stdout, "data")) as [Buffer];
    for (const each of [child, own]) {
      each.kill("SIGKILL");
      await once(each, "close");
    }
    await gone(pid.toString().trim());
    expect(await at.ssh(`kill ${free.toString()}`)).toMatchObject({ exitCode: 0 });
  });
});

describe("a process that its command leaves behind", () => {
  test("with an output of its own does not hold the session up", async () => {
    const { stdout } = await at.ssh("sleep 300 > /dev/null 2>&1 & echo $!");
    expect(await at.ssh(`kill ${stdout}`)).toMatchObject({ exitCode: 0 });
  });

  test("with the session's output is waited for, as by sshd, and nothing of it is lost", async () => {
    const { exitCode, stdout } = await at.ssh(
      "(sleep 0.5; echo late; echo later >&2) & echo first; exit 6",
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 6, stdout: "first\nlate\n" });
  });

  test("lives on when the client leaves", async () => {
    const child = at.spawn("(while :; do sleep 0.1; done) & echo $! $$");
    const [printed] = (await once(child.stdout, "data")) as [Buffer];
    const [left = "", command = ""] = printed.toString().trim().split(" ");
    await gone(command);
    child.kill("SIGKILL");
    await once(child, "close");
    expect(await at.ssh(`sleep 0.2; kill ${left}`)).toMatchObject({ exitCode: 0 });
  });
});

describe("a client that stops reading", () => {
  test("costs the gateway and the workspace no more than their buffers", async () => {
    const residentKiB = async (): Promise<number> =>
      Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${at.oneloop.pid}/status`, "utf8"))?.[1]);
    const children = Array.from({ length: 8 }, (_, index) =>
      at.spawn(`echo $$; exec head -c 2000000000 /dev/zero ${index % 2 === 0 ? "" : ">&2"}`),
    );
    const pids = await Promise.all(
      children.map(async (child) => {
        const [pid] = (await once(child.stdout, "data")) as [Buffer];
        child.kill("SIGSTOP");
        return pid.toString("latin1").split("\n", 1)[0] ?? "";
      }),
    );
    // Held: between two looks no program has written any more.
    const written = `cat ${pids.map((pid) => `/proc/${pid}/io`).join(" ")} | grep wchar`;
    let last = "";
    await vi.waitUntil(
      async () => {
        const { stdout } = await at.ssh(written);
        const held = stdout === last;
        last = stdout;
        return held;
      },
      { interval: 300, timeout: 20_000 },
    );
    const total = [...last.matchAll(/wchar: (\d+)/g)].reduce((sum, [, n]) => sum + Number(n), 0);
    // The client's window and what the kernel keeps on the way, for each.
    expect(total).toBeLessThan(8 * 24_000_000);
    expect(await residentKiB()).toBeLessThan(400 * 1024);
    for (const child of children) child.kill("SIGKILL");
    await Promise.all(pids.map(gone));
  });
});

describe("a workspace that does not run", () => {
  test("is started by a login, which says so where somebody looks, and waits", async () => {
    expect((await at.oneloop.loop("stop", at.ws.name)).exitCode).toBe(0);
    const [looked, piped] = await Promise.all([
      at.ssh("echo in", { options: ["-tt"] }),
      at.ssh("echo in"),
    ]);
    expect(looked).toMatchObject({ exitCode: 0, stdout: "in\r\n" });
    expect(looked.stderr).toMatch(
      new RegExp(`^oneloop: ${at.ws.name} is (?:stopped: it is started now|being started) …\r\n$`),
    );
    expect(piped).toEqual({ exitCode: 0, stdout: "in\n", stderr: "" });
  });

  test("takes sessions that come while it stops, or says why not; none hangs", async () => {
    const running = at.spawn("echo up; sleep 300");
    await once(running.stdout, "data");
    const ended = once(running, "close");
    const stop = at.oneloop.loop("stop", at.ws.name);
    const ends: Awaited<ReturnType<typeof at.ssh>>[] = [];
    const refused = (): boolean => ends.some(({ exitCode }) => exitCode !== 0);
    // Before it stops, while it does, and after that, when a login starts it again.
    const logInAgain = async (): Promise<void> => {
      for (let over = false; !over;) {
        const before = refused();
        const end = await at.ssh("echo in");
        ends.push(end);
        over = before && end.exitCode === 0;
      }
    };
    await Promise.all([logInAgain(), logInAgain(), logInAgain()]);
    await ended;
    expect((await stop).exitCode).toBeLessThan(2);
    for (const { exitCode, stdout, stderr } of ends) {
      expect({ exitCode, stdout, stderr }).toEqual(
        exitCode === 0
          ? { exitCode, stdout: "in\n", stderr: "" }
          : { exitCode: 255, stdout: "", stderr: expect.stringMatching(/^(?:oneloop: .+\n)?$/) },
      );
    }
    expect(await at.ssh("echo again")).toMatchObject({ exitCode: 0, stdout: "again\n" });
  });
});

describe("a control plane that restarts", () => {
  /** `loop attach`, on a terminal of this machine. */
  const attach = (...args: string[]): Screen =>
    new Screen(process.execPath, [join(root, "cli/bin/loop.js"), "attach", at.ws.name, ...args], {
      ...{ env: at.oneloop.env, cols: 90, rows: 25, cwd: root },
    });

  test("leaves the terminal of an ssh session, and the next login says how to attach it", async () => {
    // `loop` runs ssh with what the person has.
    using agent = await startAgent(at.folder);
    at.oneloop.env["SSH_AUTH_SOCK"] = agent.path;
    using screen = at.login();
    await screen.shows("$ ");
    screen.type("X=kept-$$; clear; vi() { :; }; echo mark-$((6 * 7))\r");
    await screen.shows("mark-42\r\n");
    await at.oneloop.kill();
    expect(await screen.exitCode).toBe(255);
    await at.oneloop.start();

    using next = at.login();
    const shown = await next.shows("$ ");
    expect(shown).toContain(`Left running  loop attach ${at.ws.name}  `);
    next.type("exit\r");
    await next.exitCode;

    using attached = attach();
    await attached.shows("mark-42\r\n");
    attached.type("stty size; echo $X; tty; echo $SSH_TTY\r");
    expect(await attached.shows(/kept-\d+\r\n/)).toContain("25 90\r\n");
    const [tty, name] = (await attached.shows(/\/dev\/pts\/\d+\r\n\/dev\/pts\/\d+\r\n/))
      .trim()
      .split("\r\n")
      .slice(-2);
    expect(tty).toBe(name);
    // Left, it goes on; then it ends, with its status.
    attached.type("\r~.");
    expect(await attached.exitCode).toBe(255);
    using again = attach();
    await again.shows("mark-42\r\n");
    again.type("exit 9\r");
    expect(await again.exitCode).toBe(9);

    using nothing = attach();
    await nothing.shows("No terminal of an ssh connection that broke is left running here.");
    expect(await nothing.exitCode).toBe(255);
  });
});
