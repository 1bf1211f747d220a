import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { z } from "zod";
import {
  ControlAnswer,
  ControlMessage,
  ControlOrder,
  WorkspaceAsk,
} from "../../../server/protocol/control.ts";
import * as protocol from "../../../server/protocol/supervisor.ts";
import * as guards from "../../../workspace-image/supervisor/guards.ts";
import { Refusal } from "../../../workspace-image/supervisor/refusal.ts";

const text = fc.oneof(
  fc.string(),
  fc.constantFrom(
    "start",
    "exec",
    "control",
    "listen",
    "unix",
    "stop",
    ...[64, 101, 301, 2001].map((n) => "x".repeat(n)),
  ),
);
const size = fc.oneof(fc.integer({ min: -1, max: 3000 }), fc.constantFrom(1, 80, 1000, 1001, 2000));
const strings = fc.oneof(fc.array(text, { maxLength: 3 }), fc.dictionary(text, text));
/** Right and wrong values for any field. */
const value = fc.oneof(
  fc.constantFrom(
    null,
    undefined,
    true,
    false,
    1.5,
    "terminal",
    "workspace",
    65_535,
    65_536,
    2 ** 24,
    2 ** 24 + 1,
  ),
  text,
  size,
  strings,
  fc.array(fc.integer(), { minLength: 1, maxLength: 2 }),
  fc.dictionary(text, fc.integer(), { minKeys: 1 }),
);

const task = {
  name: "build",
  phase: "create",
  in: "dev",
  oncePer: "workspace",
  needs: ["install"],
  command: null,
  terminal: true,
  cwd: "/workspace",
  env: { A: "b" },
};

const cases: [string, z.ZodType, (input: unknown) => unknown, Record<string, unknown>][] = [
  [
    "the configuration",
    protocol.SupervisorConfig,
    guards.readConfig,
    {
      workspace: "w",
      publicKey: "k",
      cwd: "/",
      home: "/root",
      shell: null,
      env: { A: "b" },
      tasks: [task],
      imageCommand: ["sleep"],
      entered: { idleMs: 1000 },
    },
  ],
  [
    "a grant",
    protocol.GrantClaims,
    guards.readClaims,
    {
      workspace: "w",
      boot: "b",
      actor: "a",
      action: "exec",
      readOnly: false,
      expiresAt: 1,
      nonce: "n",
    },
  ],
  [
    "creating a terminal",
    protocol.CreateTerminal,
    guards.readCreateTerminal,
    { command: ["sh"], cwd: "/", env: { A: "b" }, title: "t", cols: 80, rows: 24 },
  ],
  ["attaching", protocol.AttachTerminal, guards.readAttachTerminal, { from: 3 }],
  ["reading output", protocol.OutputRequest, guards.readOutputRequest, { from: 3, follow: true }],
  [
    "a command",
    protocol.ExecRequest,
    guards.readExecRequest,
    {
      argv: ["a"],
      shell: "b",
      cwd: "/",
      env: {},
      pty: { term: "xterm", cols: 80, rows: 24 },
    },
  ],
  ["a connection", protocol.DialRequest, guards.readDialRequest, { host: "db", port: 80 }],
  [
    "a connection with a window",
    protocol.DialRequest,
    guards.readDialRequest,
    { host: "db", port: 80, window: 65_536 },
  ],
  [
    "a connection to a socket with a window",
    protocol.DialRequest,
    guards.readDialRequest,
    { path: "s.sock", window: 16 * 1024 * 1024 },
  ],
  ["a connection to a socket", protocol.DialRequest, guards.readDialRequest, { path: "s.sock" }],
  [
    "listening at a port",
    protocol.ListenRequest,
    guards.readListenRequest,
    { kind: "tcp", port: 0 },
  ],
  [
    "listening at a path",
    protocol.ListenRequest,
    guards.readListenRequest,
    { kind: "path", path: "s" },
  ],
  ["listening", protocol.ListenRequest, guards.readListenRequest, { kind: "unix" }],
  ["taking a connection", protocol.AcceptRequest, guards.readAcceptRequest, { id: "i" }],
  [
    "a client's message",
    protocol.TerminalClientMessage,
    guards.readClientMessage,
    { type: "resize", cols: 80, rows: 24 },
  ],
  [
    "a setup",
    protocol.WorkspaceSetup,
    guards.readSetup,
    { env: { A: "b" }, git: { name: "n", email: "e" } },
  ],
  [
    "a question for a credential",
    WorkspaceAsk,
    guards.readAsk,
    { kind: "credential", protocol: "https", host: "h", path: null },
  ],
  [
    "a question for an address",
    WorkspaceAsk,
    guards.readAsk,
    { kind: "url", port: 3000, service: "db" },
  ],
  ["a question without more", WorkspaceAsk, guards.readAsk, { kind: "show" }],
];

test.each(cases)("%s is read as the protocol's schema reads it", (_, schema, read, good) => {
  const same = (input: unknown): void => {
    const parsed = schema.safeParse(input);
    if (parsed.success) expect(read(input)).toEqual(parsed.data);
    else expect(() => read(input), JSON.stringify(input)).toThrow(Refusal);
  };
  expect(schema.safeParse(good).success).toBe(true);
  same(good);
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(good)), value, fc.boolean(), (name, other, drop) => {
      const { [name]: _dropped, ...rest } = good;
      same(drop ? rest : { ...good, [name]: other });
    }),
    { numRuns: 500 },
  );
  fc.assert(fc.property(value, same));
});

const answers = [
  { type: "answer", id: "i", ok: true, result: { url: "u" } },
  {
    type: "answer",
    id: "i",
    ok: false,
    error: { code: "not-found", message: "m", diagnostics: [] },
  },
];

test("every answer that the protocol knows is read, and what is refused is none", () => {
  const check = (input: unknown): void => {
    const parsed = ControlAnswer.safeParse(input);
    let answer: guards.Answer | null;
    try {
      answer = guards.readAnswer(input);
    } catch (error) {
      expect(error).toBeInstanceOf(Refusal);
      expect(parsed.success, JSON.stringify(input)).toBe(false);
      return;
    }
    // More is taken: types and codes of a later version. What is known is read as it is.
    if (!parsed.success) return;
    const { id, ...said } = parsed.data;
    expect(answer).toEqual(
      said.ok
        ? { id, ok: true, result: said.result ?? null }
        : { id, ok: false, error: { code: said.error.code, message: said.error.message } },
    );
  };
  for (const good of answers) {
    check(good);
    expect(ControlAnswer.safeParse(good).success).toBe(true);
    const changed = fc.tuple(fc.constantFrom("type", "id", "ok", "result", "error"), value);
    fc.assert(
      fc.property(changed, ([name, other]) => check({ ...good, [name]: other })),
      { numRuns: 500 },
    );
  }
  expect(guards.readAnswer({ type: "news", of: "tomorrow" })).toBeNull();
});

test("an order of the control plane is read as the protocol's schema reads it", () => {
  const orders: ControlOrder[] = [
    { type: "watch", folders: [{ path: "/workspace/app", skip: ["^dist(/|$)"] }] },
    { type: "watch", folders: [] },
    { type: "taken", id: 7 },
  ];
  const check = (input: unknown): void => {
    const parsed = ControlOrder.safeParse(input);
    let order: ControlOrder | null = null;
    try {
      order = guards.readOrder(input);
    } catch (error) {
      expect(error).toBeInstanceOf(Refusal);
    }
    // What it does not know is passed over, as an answer is.
    expect(order).toEqual(parsed.success ? parsed.data : null);
  };
  for (const good of orders) {
    check(good);
    const changed = fc.tuple(fc.constantFrom("type", "id", "folders"), value);
    fc.assert(
      fc.property(changed, ([name, other]) => check({ ...good, [name]: other })),
      { numRuns: 300 },
    );
  }
});

test("of a stranger's word about files no path leads out of the folder", () => {
  const said = (path: string): unknown => ({
    ...{
      type: "files",
      id: 1,
      folder: "/workspace/app",
      removed: [],
      lost: false,
      unwatched: null,
    },
    changed: [path],
  });
  for (const path of ["../x", "a/../../x", "/etc/passwd", "a//b", "./a", "", "a\0b", "..", "."]) {
    expect(ControlMessage.safeParse(said(path)).success, path).toBe(false);
  }
  for (const path of ["a", "a/b.js", "..a/b..", "old/", "a b\nc"]) {
    expect(ControlMessage.safeParse(said(path)).success, path).toBe(true);
  }
});

const nested = fc.record({ name: fc.constantFrom(...Object.keys(task)), value });

test("a task and a pty are read as the protocol's schemas read them", () => {
  fc.assert(
    fc.property(nested, (change) => {
      const input = {
        ...cases[0]?.[3],
        tasks: [{ ...task, [change.name]: change.value }],
      };
      const parsed = protocol.SupervisorConfig.safeParse(input);
      if (parsed.success) expect(guards.readConfig(input)).toEqual(parsed.data);
      else expect(() => guards.readConfig(input)).toThrow(Refusal);
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.constantFrom("term", "cols", "rows"), value, (name, other) => {
      const input = { pty: { term: "xterm", cols: 80, rows: 24, [name]: other } };
      const parsed = protocol.ExecRequest.safeParse(input);
      if (parsed.success) expect(guards.readExecRequest(input)).toEqual(parsed.data);
      else expect(() => guards.readExecRequest(input)).toThrow(Refusal);
    }),
    { numRuns: 500 },
  );
});
