import { EventEmitter, once } from "node:events";
import { readFile } from "node:fs/promises";
import { Duplex, PassThrough } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import ssh2 from "ssh2";
import { OneloopError } from "../../../server/protocol/errors.ts";
import type { Resolved } from "../../../server/ssh/door.ts";
import { RememberedPlace } from "../../../server/ssh/remembered-place.ts";
import { Told } from "../../helpers/signals.ts";
import { startOpenSsh, type OpenSsh } from "./openssh.ts";

const place = (id: string): Resolved => ({
  owner: { kind: "workspace", id },
  service: null,
  name: "ws",
});

describe("a place", () => {
  test("is asked for once, until it changed or anything may have", async () => {
    const changes = new Told();
    using remembered = new RememberedPlace({ onChange: (listener) => changes.listen(listener) });
    let asked = 0;
    const ask = async (): Promise<Resolved> => place(`ws-${(asked += 1)}`);
    const id = async (): Promise<string> => (await remembered.get(ask)).owner.id;
    expect([await id(), await id()]).toEqual(["ws-1", "ws-1"]);
    changes.tell("another");
    expect(await id()).toBe("ws-1");
    changes.tell("ws-1");
    expect([await id(), await id()]).toEqual(["ws-2", "ws-2"]);
    changes.tell(null);
    expect([await id(), await id()]).toEqual(["ws-3", "ws-3"]);
    remembered.forget();
    expect(await id()).toBe("ws-4");
  });

  test("that may have changed while it was asked for is asked for again", async () => {
    const changes = new Told();
    using remembered = new RememberedPlace({ onChange: (listener) => changes.listen(listener) });
    await remembered.get(async () => {
      // Of whom the answer will be nobody knows yet.
      changes.tell("new");
      return place("old");
    });
    expect(await remembered.get(async () => place("new"))).toEqual(place("new"));
  });

  test("is not remembered where it could not be had", async () => {
    const changes = new Told();
    using remembered = new RememberedPlace({ onChange: (listener) => changes.listen(listener) });
    const failing = remembered.get(() => Promise.reject(new OneloopError("not-found", "None.")));
    await expect(failing).rejects.toThrow("None.");
    expect(await remembered.get(async () => place("ws"))).toEqual(place("ws"));
  });

  test("is asked for each time where changes are not told, or no more", async () => {
    let asked = 0;
    const ask = async (): Promise<Resolved> => place(`ws-${(asked += 1)}`);
    using never = new RememberedPlace(undefined);
    await never.get(ask);
    await never.get(ask);
    expect(asked).toBe(2);
    const changes = new Told();
    const ended = new RememberedPlace({ onChange: (listener) => changes.listen(listener) });
    await ended.get(ask);
    ended[Symbol.dispose]();
    await ended.get(ask);
    await ended.get(ask);
    expect(asked).toBe(5);
  });
});

describe("a connection", () => {
  test("asks where it leads once for all of its channels, until that changes", async () => {
    const changes = new Told();
    let asked = 0;
    await using open = await startOpenSsh("ed25519", undefined, {
      changes: { onChange: (listener) => changes.listen(listener) },
      resolve: async () => {
        asked += 1;
        return place("far-end");
      },
    });
    const client = await connect(open);
    for (const _ of [1, 2, 3]) expect(await run(client, "echo out")).toBe("out\n");
    expect(asked).toBe(1);
    changes.tell("far-end");
    for (const _ of [1, 2, 3]) expect(await run(client, "echo out")).toBe("out\n");
    expect(asked).toBe(2);
    await end(client);
  });

  test("asks again where the workspace has stopped and nobody told yet", async () => {
    const changes = new Told();
    let asked = 0;
    let stopped = false;
    await using open = await startOpenSsh(
      "ed25519",
      (supervisors) => ({
        exec: async (...call) => {
          if (stopped) throw new OneloopError("supervisor-unreachable", "Nobody is there.");
          return await supervisors.exec(...call);
        },
      }),
      {
        changes: { onChange: (listener) => changes.listen(listener) },
        resolve: async (_user, _login, { onWait }) => {
          asked += 1;
          if (stopped) onWait("ws is being started …");
          stopped = false;
          return place("far-end");
        },
      },
    );
    const client = await connect(open);
    expect(await run(client, "echo out")).toBe("out\n");
    stopped = true;
    expect(await run(client, "echo again")).toBe("again\n");
    expect(asked).toBe(2);
    await end(client);
  });

  test("whose client left while its key was looked up listens for no changes", async () => {
    const [toGateway, toClient] = [new PassThrough(), new PassThrough()];
    const ours = Duplex.from({ readable: toGateway, writable: toClient });
    let lookups = 0;
    let listeners = 0;
    const looked = new EventEmitter();
    await using open = await startOpenSsh("ed25519", undefined, {
      authenticate: async () => {
        lookups += 1;
        // The first is whether the key would do.
        if (lookups === 2) {
          ours.destroy();
          await new Promise((resolve) => ours.once("close", resolve));
          await turn();
          looked.emit("end");
        }
        return { userId: "ada", keyId: "adas-key" };
      },
      changes: {
        onChange: () => {
          listeners += 1;
          return { [Symbol.dispose]: () => (listeners -= 1) };
        },
      },
    });
    open.gateway.serve(ours, {});
    const client = new ssh2.Client();
    client.on("error", () => undefined);
    client.connect({
      sock: Duplex.from({ readable: toClient, writable: toGateway }),
      username: "ws",
      privateKey: await readFile(`${open.folder}/key`),
    });
    await once(looked, "end");
    await turn();
    expect(listeners).toBe(0);
    client.destroy();
  });
});

async function connect({ folder, gateway }: OpenSsh): Promise<ssh2.Client> {
  const client = new ssh2.Client();
  const ready = once(client, "ready");
  const privateKey = await readFile(`${folder}/key`);
  client.connect({ host: "127.0.0.1", port: gateway.port, username: "ws", privateKey });
  await ready;
  return client;
}

async function end(client: ssh2.Client): Promise<void> {
  const closed = once(client, "close");
  client.end();
  await closed;
}

function run(client: ssh2.Client, command: string): Promise<string> {
  return new Promise((resolve, reject) =>
    client.exec(command, (error, channel) => {
      if (error !== undefined) {
        reject(error);
        return;
      }
      let text = "";
      channel.on("data", (chunk: Buffer) => (text += chunk.toString()));
      channel.on("close", () => resolve(text));
    }),
  );
}
