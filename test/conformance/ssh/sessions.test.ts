import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Screen } from "../../helpers/screen.ts";
import { SshWorkspace } from "../../helpers/ssh-workspace.ts";

vi.setConfig({ testTimeout: 30_000 });

let at: SshWorkspace;
beforeAll(async () => {
  at = await SshWorkspace.start();
});
afterAll(() => at?.[Symbol.asyncDispose]());

const sha = (text: string): string => createHash("sha256").update(text).digest("hex");

describe("a command", () => {
  test("gives its status, its output and its errors, apart", async () => {
    expect(await at.ssh("echo out; echo err >&2; exit 7")).toEqual({
      exitCode: 7,
      stdout: "out\n",
      stderr: "err\n",
    });
  });

  test("that a signal ended is reported so", async () => {
    const { exitCode, stderr } = await at.ssh("kill -TERM $$", {
      options: ["-o", "LogLevel=DEBUG1"],
    });
    expect(exitCode).toBe(255);
    expect(stderr).toContain("rtype exit-signal");
  });

  test("that prints much and exits at once loses no byte", async () => {
    const { stdout } = await at.ssh("head -c 3000000 /dev/urandom | base64 > ~/much; cat ~/much");
    const { stdout: sum } = await at.ssh("sha256sum < ~/much");
    expect(sha(stdout)).toBe(sum.split(" ")[0]);
  });

  test("reads standard input to its end, and goes on", async () => {
    const both = await at.ssh("wc -c; echo after", { input: "x".repeat(1_000_000) });
    expect(both.stdout).toBe("1000000\nafter\n");
    const closed = await at.ssh("exec < /dev/null; echo goes on; exit 3", {
      input: Buffer.alloc(4_000_000),
    });
    expect(closed).toMatchObject({ exitCode: 3, stdout: "goes on\n" });
  });

  test("gets a program that reads only the beginning out of the way of one that writes", async () => {
    const { exitCode, stdout } = await at.ssh("head -c 5", { input: Buffer.alloc(5_000_000, "a") });
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "aaaaa" });
  });
});

describe("a script on standard input", () => {
  const script = "echo one; [ -t 0 ] && echo terminal; echo two >&2; exit 5\n";

  test.each([
    ["without a flag", []],
    ["with -T", ["-T"]],
  ])("is run, %s", async (_, options) => {
    expect(await at.ssh("", { options, input: script })).toEqual({
      exitCode: 5,
      stdout: "one\n",
      stderr: "two\n",
    });
  });

  test("is run on a terminal with -tt", async () => {
    const { exitCode, stdout } = await at.ssh("", { options: ["-tt"], input: script });
    expect(exitCode).toBe(5);
    expect(stdout).toMatch(/one\r\nterminal\r\ntwo\r\n/);
  });
});

describe("a terminal", () => {
  /** A command on a terminal, from a terminal of this machine that stty has made as `modes` say. */
  const loginWith = (modes: string, command: string) =>
    new Screen(
      "sh",
      ["-c", 'stty $0; exec ssh "$@"', modes, "-t", ...at.options(), at.host, command],
      { cols: 101, rows: 31 },
    );

  test("has the characters, the echo and the flags of the client's terminal", async () => {
    const modes = "erase ^H intr ^X kill @ eof ^E eol2 undef -ixon ixany -echoctl";
    using one = loginWith(`${modes} iutf8`, "stty -a; stty -echo; echo ready; cat");
    const shown = await one.shows("ready\r\n");
    for (const mode of ["erase = ^H", "intr = ^X", "kill = @", "eof = ^E", "eol2 = <undef>"]) {
      expect(shown).toContain(`${mode};`);
    }
    expect(shown.split(/\s+/)).toEqual(
      expect.arrayContaining(["-ixon", "ixany", "iutf8", "-echoctl", "echo", "icanon", "onlcr"]),
    );
    // They work: the line is killed, and the character that ends input ends it.
    one.type("away@kept\b\b\beys\n");
    expect(await one.shows("\r\n")).toBe("keys\r\n");
    one.type("\x05");
    expect(await one.exitCode).toBe(0);
    using two = loginWith("-iutf8 -echo ixon", "stty -a; echo ready; cat");
    const other = (await two.shows("ready\r\n")).split(/\s+/);
    expect(other).toEqual(expect.arrayContaining(["-iutf8", "-echo", "ixon"]));
    two.type("not echoed\n");
    expect(await two.shows("not echoed\r\n")).toBe("not echoed\r\n");
    two.type("\x03");
    expect(await two.exitCode).toBe(255);
  });

  test("follows the size of the client's, and tells its program", async () => {
    using screen = at.login(["-t"], {
      command: ["trap 'stty size' WINCH; stty size; while :; do sleep 0.1; done"],
    });
    await screen.shows("31 101\r\n");
    screen.resize(77, 22);
    await screen.shows("22 77\r\n");
  });

  test("has 256 colours, and UTF-8 also for a client that says LANG=C", async () => {
    const options = ["-tt", "-o", "SendEnv=LANG LC_*"];
    for (const env of [{ LANG: "C" }, { LANG: "POSIX", LC_ALL: "C" }]) {
      using screen = at.login(options, {
        env,
        command: ["tput colors; locale charmap; printf 'gr\\303\\274n' | wc -m; echo end"],
      });
      const shown = await screen.shows("end\r\n");
      expect(shown).toContain("256\r\nUTF-8\r\n4\r\n");
    }
  });

  test("is named by SSH_TTY, and every other variable is as without one", async () => {
    const { stdout } = await at.ssh("env -0 | base64 -w 0; echo; echo $SSH_TTY; tty", {
      options: ["-tt"],
    });
    const [encoded = "", name, tty] = stdout.split("\r\n");
    expect(name).toMatch(/^\/dev\/pts\/\d+$/);
    expect(tty).toBe(name);
    const plain = await at.ssh("env -0 | base64 -w 0");
    const read = (text: string) => {
      const entries = Buffer.from(text, "base64").toString().split("\0");
      return entries.filter((entry) => !/^(?:SSH_\w+|TERM|_|)=?/.test(entry) || false).toSorted();
    };
    expect(read(encoded)).toEqual(read(plain.stdout));
  });

  test("a session on it ends with its shell's status", async () => {
    using screen = at.login();
    await screen.shows("$ ");
    screen.type("exit 4\r");
    expect(await screen.exitCode).toBe(4);
  });
});

describe("the message of the day", () => {
  test("shows the workspace, its branch, ports and services to an interactive login", async () => {
    const served = await at.ssh(
      "cd / && (python3 -m http.server 8000 > /dev/null 2>&1 < /dev/null & echo $!)",
    );
    const url = `http://8000-${at.ws.name}.localhost:${at.oneloop.port}/`;
    const ports = async (): Promise<string> =>
      JSON.stringify((await at.oneloop.loopJson<{ ports: object }>("show", at.ws.name)).ports);
    while (!(await ports()).includes(url)) await at.ssh("true");
    using screen = at.login();
    const shown = await screen.shows("$ ");
    expect(shown).toContain(`Workspace     ${at.ws.name}\r\n`);
    expect(shown).toMatch(/Branch {8}main\r\n/);
    expect(shown).toMatch(/Services {6}dev {2}running\r\n/);
    expect(shown).toContain(`8000  python3  ${url}\r\n`);
    await at.ssh(`kill ${served.stdout}`);
  });

  test("is not for commands, for sessions without a terminal, and for who wants none", async () => {
    expect((await at.ssh("echo one", { options: ["-tt"] })).stdout).toBe("one\r\n");
    expect((await at.ssh("", { input: "echo two\n" })).stdout).toBe("two\n");
    const login = async (): Promise<string> =>
      (await at.ssh("", { options: ["-tt"], input: "exit\n" })).stdout;
    expect(await login()).toContain("Workspace ");
    await at.ssh("touch ~/.hushlogin");
    expect(await login()).not.toContain("Workspace ");
    await at.ssh("rm ~/.hushlogin");
  });
});

describe("the environment", () => {
  test("has what the client sends of the allow list, and nothing else", async () => {
    const { stdout } = await at.ssh("env", {
      options: [
        "-o",
        "SendEnv=LANG LC_* COLORTERM TERM GIT_* VSCODE_* LD_* BASH_* NODE_* ONELOOP_* PATH_*",
      ],
      env: {
        LANG: "de_DE.UTF-8",
        LC_TIME: "C",
        LC_TERMINAL_VERSION: "3.5",
        COLORTERM: "truecolor",
        TERM: "foot",
        GIT_AUTHOR_NAME: "Ada L.",
        VSCODE_AGENT_FOLDER: "/x y",
        LD_PRELOAD_TEST: "/evil.so",
        BASH_ENV: "/evil",
        NODE_OPTIONS: "--max-old-space-size=999",
        ONELOOP_WORKSPACE_NAME: "mine",
      },
    });
    const env = readEnv(stdout);
    expect(env).toMatchObject({
      LANG: "de_DE.UTF-8",
      LC_TIME: "C",
      LC_TERMINAL_VERSION: "3.5",
      COLORTERM: "truecolor",
      TERM: "foot",
      GIT_AUTHOR_NAME: "Ada L.",
      VSCODE_AGENT_FOLDER: "/x y",
    });
    for (const name of ["LD_PRELOAD_TEST", "BASH_ENV", "NODE_OPTIONS"]) {
      expect(env).not.toHaveProperty(name);
    }
    expect(env["ONELOOP_WORKSPACE_NAME"]).toBe(at.ws.name);
  });

  test("says who connects, in which workspace, and which shell it is", async () => {
    const env = readEnv((await at.ssh("env")).stdout);
    const port = String(at.oneloop.sshPort);
    expect(env["SSH_CONNECTION"]).toMatch(new RegExp(`^127.0.0.1 \\d+ 127.0.0.1 ${port}$`));
    const [, from] = (env["SSH_CONNECTION"] ?? "").split(" ");
    expect(env["SSH_CLIENT"]).toBe(`127.0.0.1 ${from} ${port}`);
    expect(env).toMatchObject({
      SHELL: "/bin/bash",
      HOME: "/home/dev",
      USER: "dev",
      LOGNAME: "dev",
      ONELOOP_WORKSPACE_ID: at.ws.id,
      ONELOOP_WORKSPACE_NAME: at.ws.name,
      ONELOOP_WORKSPACE_URL: at.ws.url,
    });
    expect(env["ONELOOP_PORT_URL_TEMPLATE"]).toContain(`{port}-${at.ws.name}.`);
    expect(env).not.toHaveProperty("SSH_TTY");
  });

  test("the login shell is the user's own, also after chsh", async () => {
    const which = "readlink /proc/$$/exe; echo $SHELL";
    const changed = await at.ssh("sudo usermod -s /usr/bin/zsh dev");
    expect(changed).toMatchObject({ exitCode: 0 });
    try {
      expect((await at.ssh(which)).stdout).toBe("/usr/bin/zsh\n/usr/bin/zsh\n");
    } finally {
      await at.ssh("sudo usermod -s /bin/bash dev");
    }
    expect((await at.ssh(which)).stdout).toBe("/usr/bin/bash\n/bin/bash\n");
  });
});

function readEnv(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .split("\n")
      .filter((line) => line.includes("="))
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}
