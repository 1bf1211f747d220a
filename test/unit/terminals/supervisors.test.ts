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
