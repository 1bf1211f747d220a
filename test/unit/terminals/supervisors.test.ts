import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, expect, it, vi } from "vitest";
import type { GrantSigner } from "../../../server/auth/grants.ts";
import type { Engine } from "../../../server/engine/engine.ts";
import type { Owner } from "../../../server/engine/steps.ts";
import { Supervisors } from "../../../server/terminals/supervisors.ts";

const owner: Owner = { kind: "workspace", id: "w" };

/** A supervisor that is not ours, and does with a connection what it likes. */
async function hostile(
  answer: (socket: Socket) => void,
): Promise<AsyncDisposable & { supervisors: Supervisors }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("data", () => answer(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
  const engine: Pick<Engine, "supervisorAddress"> = { supervisorAddress: async () => null };
  const signer: Pick<GrantSigner, "sign"> = { sign: () => "Oneloop x.y" };
  const supervisors = new Supervisors(engine as Engine, signer as GrantSigner);
  supervisors.remember(owner, address, "boot");
  return {
    supervisors,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

const ask = (supervisors: Supervisors): Promise<unknown> =>
  supervisors.json(
    { owner, actor: "ada" },
    { action: "terminal", method: "GET", path: "/terminals" },
  );

afterEach(() => {
  vi.useRealTimers();
});

it("an answer that trickles has a deadline for the whole of it", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  let trickled = (): void => undefined;
  const first = new Promise<void>((resolve) => (trickled = resolve));
  await using far = await hostile((socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n[", () => trickled());
    // As long as it is asked, it says a little more.
    const more = setInterval(() => socket.write(" "), 5);
    socket.on("close", () => clearInterval(more));
  });
  const answered = ask(far.supervisors);
  answered.catch(() => undefined);
  await first;
  vi.advanceTimersByTime(10_001);
  await expect(answered).rejects.toMatchObject({ code: "workspace-not-running" });
});

it.each(["{nonsense", "[1", "\u0000"])("an answer that is no JSON (%j) is none", async (body) => {
  await using far = await hostile((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  });
  await expect(ask(far.supervisors)).rejects.toMatchObject({ code: "workspace-not-running" });
});

it.each([
  ["of before gets what is sent as it is", "oneloop-stream", "to it"],
  ["that gives a window gets frames", "oneloop-window", "\u0001\0\0\0\u0005to it"],
])("a supervisor %s", async (_, upgrade, expected) => {
  let got = "";
  await using far = await hostile((socket) => {
    socket.on("data", (chunk: Buffer) => {
      got += chunk.toString("latin1");
      if (got.endsWith("to it")) socket.end("all of it");
    });
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${upgrade}\r\n\r\nfirst, `);
  });
  const to = { owner, actor: "ada" };
  const { socket, credit } = await far.supervisors.forward(to, { host: "db", port: 80 });
  (credit ?? socket).write(Buffer.from("to it"));
  const came: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => came.push(chunk)).resume();
  await once(socket, "end");
  expect(Buffer.concat(came).toString()).toBe("first, all of it");
  expect(got).toBe(expected);
  socket.destroy();
});
