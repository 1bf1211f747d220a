import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import type { Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { supervisorPaths } from "../../../server/protocol/supervisor.ts";
import { testSupervisor } from "./harness.ts";

let supervisor: Awaited<ReturnType<typeof testSupervisor>>;
beforeEach(async () => {
  supervisor = await testSupervisor();
});
afterEach(() => supervisor[Symbol.asyncDispose]());

function direct(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const query = encodeURIComponent(JSON.stringify({ argv, env }));
  return supervisor.upgrade(`${supervisorPaths.direct}?q=${query}`, supervisor.grant("exec"));
}

async function all(socket: Socket, rest: Buffer): Promise<Buffer> {
  const chunks = [rest];
  for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function firstNumber(socket: Socket, rest: Buffer): Promise<number> {
  if (rest.length > 0) return Number(rest.toString());
  const data = once(socket, "data");
  socket.resume();
  const [first] = (await data) as [Buffer];
  return Number(first.toString());
}

test("a program's input and output are the connection: every byte, and the end of each", async () => {
  const { status, socket, rest } = await direct(["cat"]);
  expect(status).toBe(101);
  const sent = randomBytes(5 * 1024 * 1024);
  socket.end(sent);
  expect((await all(socket, rest)).equals(sent)).toBe(true);
});

test("what a program prints before its end arrives, in the environment of the workspace", async () => {
  const { socket, rest } = await direct(["sh", "-c", "echo $HOME $EXTRA; pwd"], { EXTRA: "more" });
  expect((await all(socket, rest)).toString()).toBe(
    `${supervisor.home} more\n${supervisor.home}\n`,
  );
});

test("a program is told that its user is gone by the end of its input", async () => {
  const { socket, rest } = await direct(["sh", "-c", "echo $$; cat >/dev/null; sleep 0"]);
  const pid = await firstNumber(socket, rest);
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  socket.destroy();
  while (existsSync(`/proc/${pid}`)) await supervisor.sh("true");
});

test("it ends with the supervisor", async () => {
  const { socket, rest } = await direct(["sh", "-c", "echo $$; exec sleep 1000"]);
  const pid = await firstNumber(socket, rest);
  const ended = once(socket, "end");
  socket.resume();
  await supervisor[Symbol.asyncDispose]();
  await ended;
  expect(existsSync(`/proc/${pid}`)).toBe(false);
});

test("nothing starts for who has no grant for it, or what there is not", async () => {
  const query = encodeURIComponent(JSON.stringify({ argv: ["cat"] }));
  const path = `${supervisorPaths.direct}?q=${query}`;
  expect((await supervisor.upgrade(path, supervisor.grant("dial"))).status).toBe(403);
  expect((await supervisor.upgrade(path, "")).status).toBe(401);
  const missing = await direct(["/no/such/program"]);
  expect(missing.status).toBe(400);
  expect(missing.rest.toString()).toContain("/no/such/program: not found");
});
