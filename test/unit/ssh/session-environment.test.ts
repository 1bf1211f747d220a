import { expect, test } from "vitest";
import { SessionEnvironment } from "../../../server/ssh/session-environment.ts";

test.each([
  ["LANG", true],
  ["LC_ALL", true],
  ["LC_TERMINAL_VERSION", true],
  ["TERM", true],
  ["COLORTERM", true],
  ["GIT_AUTHOR_NAME", true],
  ["VSCODE_IPC_HOOK_CLI", true],
  ["LANGUAGE_X", false],
  ["PATH", false],
  ["LD_PRELOAD", false],
  ["BASH_ENV", false],
  ["ENV", false],
  ["NODE_OPTIONS", false],
  ["ONELOOP_SOCKET", false],
  ["SSH_AUTH_SOCK", false],
  ["git_x", false],
  ["LC_ALL\n", false],
])("a client may set %j: %j", (name, may) => {
  const env = new SessionEnvironment();
  expect(env.set(name, "x")).toBe(may);
  expect(env.values).toEqual(may ? { [name]: "x" } : {});
});

test("a language without an encoding becomes UTF-8's, and every other stays", () => {
  const env = new SessionEnvironment();
  for (const [name, value] of [
    ["LANG", "C"],
    ["LC_ALL", "POSIX"],
    ["LC_TIME", "C"],
    ["LC_CTYPE", "de_DE.ISO-8859-1"],
  ] as const) {
    expect(env.set(name, value)).toBe(true);
  }
  expect(env.values).toEqual({
    LANG: "C.UTF-8",
    LC_ALL: "C.UTF-8",
    LC_TIME: "C",
    LC_CTYPE: "de_DE.ISO-8859-1",
  });
});

test("no value ends early, and all together have a limit", () => {
  const env = new SessionEnvironment();
  expect(env.set("LANG", "a\0b")).toBe(false);
  expect(env.set("LC_A", "x".repeat(10_000))).toBe(true);
  expect(env.set("LC_B", "x".repeat(10_000))).toBe(false);
  expect(env.set("LC_C", "x")).toBe(true);
});
