import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { supervisorPaths } from "../../../server/protocol/supervisor.ts";
import { machineAddress } from "../../helpers/ports.ts";
import { testSupervisor } from "./harness.ts";

/** A program inside. */
async function program(path: string, allowHalfOpen = false): Promise<Socket> {
  const socket = connect({ path, allowHalfOpen });
  await once(socket, "connect");
  return socket;
}

async function closed(socket: Socket): Promise<void> {
  socket.on("error", () => undefined);
  socket.resume();
  if (!socket.closed) await once(socket, "close");
}

/** All up to the end of what comes; the other direction stays open. */
async function all(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.resume();
  await once(socket, "end");
  return Buffer.concat(chunks);
}

test("what programs say at the socket comes out, both ways, and half-close passes", async () => {
  await using supervisor = await testSupervisor();
  const listening = await supervisor.listen();
  expect(dirname(listening.path)).toBe(supervisor.runFolder);
  expect(statSync(listening.path).mode & 0o777).toBe(0o600);
  const inside = await program(listening.path, true);
  const question = randomBytes(3 * 1024 * 1024);
  inside.end(question);
  const { status, rest, socket } = await supervisor.accept(await listening.next());
  expect(status).toBe(101);
  if (rest.length > 0) socket.unshift(rest);
  expect((await all(socket)).equals(question)).toBe(true);
  const answer = randomBytes(1024 * 1024);
  socket.end(answer);
  expect((await all(inside)).equals(answer)).toBe(true);
});

test("where the other end is cut off, the program inside is too", async () => {
  await using supervisor = await testSupervisor();
  const listening = await supervisor.listen();
  const inside = await program(listening.path);
  const { socket } = await supervisor.accept(await listening.next());
  socket.resetAndDestroy();
  await closed(inside);
});

test("each listen stream has a socket of its own, which goes with it", async () => {
  await using supervisor = await testSupervisor();
  const first = await supervisor.listen();
  const second = await supervisor.listen();
  expect(first.path).not.toBe(second.path);
  const waiting = await program(first.path);
  await first.next();
  first.socket.destroy();
  await closed(waiting);
  expect(existsSync(first.path)).toBe(false);
  const other = await program(second.path);
  expect((await supervisor.accept(await second.next())).status).toBe(101);
  other.destroy();
});

test("a connection is taken once, and by nobody who does not know it", async () => {
  await using supervisor = await testSupervisor();
  const listening = await supervisor.listen();
  const inside = await program(listening.path);
  const id = await listening.next();
  expect((await supervisor.accept("another")).status).toBe(404);
  expect((await supervisor.accept(id)).status).toBe(101);
  expect((await supervisor.accept(id)).status).toBe(404);
  inside.destroy();
});

test("a connection that nobody takes in time is closed", async () => {
  await using supervisor = await testSupervisor({ acceptTimeoutMs: 20 });
  const listening = await supervisor.listen();
  const inside = await program(listening.path);
  const id = await listening.next();
  await closed(inside);
  expect((await supervisor.accept(id)).status).toBe(404);
});

test("256 wait; one more is closed at once, and has room when one is taken", async () => {
  await using supervisor = await testSupervisor();
  const listening = await supervisor.listen();
  const waiting = await Promise.all(Array.from({ length: 256 }, () => program(listening.path)));
  const ids: string[] = [];
  while (ids.length < 256) ids.push(await listening.next());
  await closed(await program(listening.path));
  expect(waiting.filter(({ destroyed }) => destroyed)).toEqual([]);
  expect((await supervisor.accept(ids[0] ?? "")).status).toBe(101);
  const later = await program(listening.path);
  expect((await supervisor.accept(await listening.next())).status).toBe(101);
  for (const socket of [...waiting, later]) socket.destroy();
});

test("neither a view-only grant nor one for something else listens or takes", async () => {
  await using supervisor = await testSupervisor();
  const { listen, accept } = supervisorPaths;
  for (const path of [listen, `${accept}?q={"id":"i"}`]) {
    expect((await supervisor.upgrade(path, supervisor.grant("listen", true))).status).toBe(403);
    expect((await supervisor.upgrade(path, supervisor.grant("dial"))).status).toBe(403);
  }
  expect(await readdir(supervisor.runFolder)).toEqual(["oneloop.sock"]);
});

test("at a port it listens on the loopback of both families, and on nothing else", async () => {
  await using supervisor = await testSupervisor();
  const listening = await supervisor.listenTcp(0);
  for (const host of ["127.0.0.1", "::1"]) {
    const inside = connect({ host, port: listening.port });
    const { socket } = await supervisor.accept(await listening.next());
    inside.write("in");
    expect(String((await once(socket.resume(), "data"))[0])).toBe("in");
    inside.destroy();
  }
  await expect(supervisor.listenTcp(listening.port)).rejects.toThrow("503");
  const outside = connect({ host: machineAddress(), port: listening.port });
  expect((await once(outside, "error"))[0]).toMatchObject({ code: "ECONNREFUSED" });
});

test("where there is no folder, it says that it cannot listen", async () => {
  await using supervisor = await testSupervisor({ runFolder: "/no/such/folder" });
  await expect(supervisor.listen()).rejects.toThrow("503");
});

test("a supervisor that ends takes its sockets away", async () => {
  const supervisor = await testSupervisor();
  const listening = await supervisor.listen();
  const inside = await program(listening.path);
  await listening.next();
  await supervisor[Symbol.asyncDispose]();
  await closed(inside);
  expect(existsSync(listening.path)).toBe(false);
});
