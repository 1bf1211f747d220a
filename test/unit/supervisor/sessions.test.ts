import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ExecExit } from "../../../server/protocol/frames.ts";
import { supervisorPaths, type TerminalInfo } from "../../../server/protocol/supervisor.ts";
import type { ExecStream } from "../../../server/terminals/exec-stream.ts";
import { testSupervisor } from "./harness.ts";

let supervisor: Awaited<ReturnType<typeof testSupervisor>>;
beforeEach(async () => {
  const schedule = { termAfterMs: 100, killAfterMs: 100, stopAfterMs: 300 };
  const env = { "dotted.name": "a b", "npm_config_//host/:_x": "1", SHLVL: "4", PS4: "=" };
  supervisor = await testSupervisor({ schedule, config: { env } });
});
afterEach(() => supervisor[Symbol.asyncDispose]());

const size = { cols: 90, rows: 33 };

/** Keeps the output, and resolves on a text in it or on the exit. */
function watch(stream: ExecStream) {
  let text = "";
  let look = (): void => undefined;
  const add = (piece: Uint8Array): void => {
    text += Buffer.from(piece).toString();
    look();
  };
  const exit = new Promise<ExecExit>((resolve) => {
    stream.listen({ onStdout: add, onStderr: add, onExit: resolve });
  });
  return {
    exit,
    text: () => text,
    until: (wanted: string) =>
      new Promise<void>((resolve) => {
        look = () => {
          if (text.includes(wanted)) resolve();
        };
        look();
      }),
  };
}

const list = () => supervisor.json<TerminalInfo[]>("GET", supervisorPaths.terminals);

test("a terminal has the modes that were asked for, before its program or any input sees it", async () => {
  const modes = { VERASE: 8, VINTR: 24, VEOL2: 255, ECHO: 0, IXON: 0, IUTF8: 1, ONLCR: 0 };
  const stream = await supervisor.exec({
    shell: "stty -a; read -r line; echo got:$line",
    pty: { term: "xterm", ...size, modes },
  });
  stream.write(Buffer.from("typed at once\r"));
  const seen = watch(stream);
  expect((await seen.exit).code).toBe(0);
  for (const mode of ["erase = ^H;", "intr = ^X;", "eol2 = <undef>;", "rows 33; columns 90"]) {
    expect(seen.text()).toContain(mode);
  }
  expect(seen.text().split(/\s+/)).toEqual(
    expect.arrayContaining(["-echo", "-ixon", "iutf8", "-onlcr", "icanon"]),
  );
  // Not echoed, and nothing of how that was done is to be seen.
  expect(seen.text()).toMatch(/^speed /);
  expect(seen.text()).toMatch(/extproc\ngot:typed at once\n$/);
});

test("its name is in the variable, and every other variable is as without a terminal", async () => {
  const shell = "tr '\\0' '\\n' < /proc/$$/environ; tty";
  const plain = await (await supervisor.exec({ shell })).collect();
  const seen = watch(
    await supervisor.exec({
      shell,
      pty: { term: "xterm", ...size, modes: { ONLCR: 0 }, nameIn: "SSH_TTY" },
    }),
  );
  await seen.exit;
  const lines = seen.text().trim().split("\n");
  const tty = lines.at(-1) ?? "";
  expect(tty).toMatch(/^\/dev\/pts\/\d+$/);
  const expected = plain.stdout.toString().trim().split("\n").slice(0, -1);
  expect(lines.slice(0, -1).toSorted()).toEqual(
    [...expected, `SSH_TTY=${tty}`, "TERM=xterm"].toSorted(),
  );
  expect(expected).toEqual(expect.arrayContaining(["dotted.name=a b", "SHLVL=4", "PS4=="]));
});

test("words come before the program's, unless the home folder wants none", async () => {
  const wanted = { shell: "echo program", pty: { term: "xterm", ...size }, motd: "Hello\r\n" };
  const greeted = watch(await supervisor.exec(wanted));
  await greeted.exit;
  expect(greeted.text()).toBe("Hello\r\nprogram\r\n");
  await writeFile(join(supervisor.home, ".hushlogin"), "");
  const hushed = watch(await supervisor.exec(wanted));
  await hushed.exit;
  expect(hushed.text()).toBe("program\r\n");
});

test("a terminal whose stream broke is attached with what it showed, left, and attached again", async () => {
  const first = await supervisor.exec({
    shell:
      "printf 'asked:\\033[6n'; echo ready; while read -r line; do stty size; echo $line; done",
    pty: { term: "xterm", ...size },
  });
  const seen = watch(first);
  await seen.until("ready");
  expect((await list()).map(({ detached }) => detached)).toEqual([false]);
  first[Symbol.dispose]();
  await expect.poll(async () => (await list())[0]?.detached).toBe(true);
  const id = (await list())[0]?.id ?? "";

  const second = await supervisor.attachStream(id, { size: { cols: 70, rows: 20 } });
  const again = watch(second);
  await again.until("asked:ready");
  expect((await list()).map(({ detached }) => detached)).toEqual([false]);
  second.write(Buffer.from("one\r"));
  await again.until("20 70\r\none\r\n");
  second.hangup();
  expect((await again.exit).error).toContain("broke");
  await expect.poll(async () => (await list())[0]?.detached).toBe(true);

  const third = await supervisor.attachStream(id, { size: null });
  const last = watch(third);
  await last.until("one\r\n");
  third.write(Buffer.from("\x04"));
  expect((await last.exit).code).toBe(0);
  expect(await list()).toEqual([]);
});

test("only one who may use terminals attaches, and only to one that is there", async () => {
  await expect(supervisor.attachStream("none", { size: null })).rejects.toThrow("404");
  await expect(supervisor.attachStream("none", { size: null }, true)).rejects.toThrow("403");
});

test("a hangup ends the stream also where something that was left behind keeps the output", async () => {
  const stream = await supervisor.exec({ shell: "sleep 30 & echo $! $$" });
  const seen = watch(stream);
  await seen.until("\n");
  const [left, leader] = seen.text().trim().split(" ").map(Number);
  await expect.poll(() => alive(leader ?? 0)).toBe(false);
  expect(await Promise.race([seen.exit, Promise.resolve("open")])).toBe("open");
  stream.hangup();
  expect((await seen.exit).code).toBe(0);
  expect(alive(left ?? 0)).toBe(true);
  process.kill(left ?? 0);
});

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
