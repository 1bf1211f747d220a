import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Owner } from "../../../server/engine/steps.ts";
import { maxControlLineBytes, type ControlAnswer } from "../../../server/protocol/control.ts";
import { OneloopError } from "../../../server/protocol/errors.ts";
import { ControlStreams, type ControlListener } from "../../../server/terminals/control-streams.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { createLog } from "../../../server/util/log.ts";

const owner: Owner = { kind: "workspace", id: "w1" };

let lifetime: Lifetime;
/** The supervisor's ends of the streams, as they come. */
let ends: AsyncIterator<[Socket]>;
let heard: string[];
let poke: () => void;
let streams: ControlStreams;
let hearFirst: () => Promise<void>;
let refuseWith: OneloopError | null;
let answerWith: (ask: unknown) => Promise<unknown>;

beforeEach(async () => {
  lifetime = new Lifetime();
  heard = [];
  poke = () => undefined;
  hearFirst = () => Promise.resolve();
  refuseWith = null;
  answerWith = () => Promise.resolve({});
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  ends = (async function* () {
    const queue: Socket[] = [];
    let wake = (): void => undefined;
    server.on("connection", (socket: Socket) => {
      queue.push(socket);
      wake();
    });
    for (;;) {
      const next = queue.shift();
      if (next !== undefined) yield [next] as [Socket];
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  })();
  const first = ends.next();
  const hear = async (text: string): Promise<void> => {
    heard.push(text);
    poke();
  };
  const listener: ControlListener = {
    onPorts: async (_owner, ports) => {
      await hearFirst();
      await hear(`ports ${ports.map(({ port: one }) => one).join(",")}`);
    },
    onActivity: () => hear("activity"),
    onTask: (_owner, { name, state }) => hear(`task ${name} ${state}`),
    onFiles: (_owner, { folder, changed }) => hear(`files ${folder} ${changed.join(",")}`),
    onAsk: (_owner, ask) => answerWith(ask),
  };
  streams = new ControlStreams({
    supervisors: {
      upgrade: async () => {
        if (refuseWith !== null) {
          poke();
          throw refuseWith;
        }
        const socket = connect(port, "127.0.0.1");
        await once(socket, "connect");
        return { socket, head: Buffer.alloc(0), rest: Buffer.alloc(0) };
      },
    },
    listener,
    log: createLog({ level: "silent" }),
  });
  lifetime.defer(async () => {
    server.close();
    await streams[Symbol.asyncDispose]();
  });
  const taken = ends;
  let given = false;
  ends = {
    next: () => {
      if (given) return taken.next();
      given = true;
      return first;
    },
  };
});

afterEach(() => lifetime[Symbol.asyncDispose]());

async function supervisorEnd(): Promise<Socket> {
  const { value } = (await ends.next()) as { value: [Socket] };
  return value[0];
}

function untilHeard(text: string): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (heard.includes(text)) resolve();
    };
    poke = look;
    look();
  });
}

function answersOf(socket: Socket): AsyncIterator<string> {
  return createInterface({ input: socket })[Symbol.asyncIterator]();
}

it("hears what a workspace says, in pieces or at once", async () => {
  streams.hold(owner);
  const end = await supervisorEnd();
  end.write('{"type":"ports","ports":[{"port":3000,"pro');
  end.write(
    'cess":null}]}\n{"type":"activity"}\n{"type":"task","name":"t","state":"failed","exitCode":1}\n',
  );
  await untilHeard("task t failed");
  expect(heard).toEqual(["ports 3000", "activity", "task t failed"]);
});

it("answers asks, and passes on a refusal's words", async () => {
  answerWith = (ask) =>
    (ask as { kind: string }).kind === "show"
      ? Promise.resolve({ name: "x" })
      : Promise.reject(new OneloopError("not-found", "No such service."));
  streams.hold(owner);
  const end = await supervisorEnd();
  const answers = answersOf(end);
  end.write('{"type":"ask","id":"1","ask":{"kind":"show"}}\n');
  const first = JSON.parse(String((await answers.next()).value)) as ControlAnswer;
  expect(first).toEqual({ type: "answer", id: "1", ok: true, result: { name: "x" } });
  end.write('{"type":"ask","id":"2","ask":{"kind":"url","port":1,"service":"a"}}\n');
  const second = JSON.parse(String((await answers.next()).value)) as ControlAnswer;
  expect(second).toMatchObject({
    ok: false,
    error: { code: "not-found", message: "No such service." },
  });
});

it("more asks at a time than a person makes are refused, and the first ones still answered", async () => {
  let finish: (value: unknown) => void = () => undefined;
  const held = new Promise((resolve) => (finish = resolve));
  answerWith = () => held;
  streams.hold(owner);
  const end = await supervisorEnd();
  const answers = answersOf(end);
  for (let id = 0; id < 17; id += 1) {
    end.write(`{"type":"ask","id":"${id}","ask":{"kind":"show"}}\n`);
  }
  const refused = JSON.parse(String((await answers.next()).value)) as ControlAnswer;
  expect(refused).toMatchObject({ id: "16", ok: false, error: { code: "conflict" } });
  finish({});
  const answered = JSON.parse(String((await answers.next()).value)) as ControlAnswer;
  expect(answered).toMatchObject({ id: "0", ok: true });
});

it.each([
  ["what is not JSON", "hello\n"],
  ["a message of no agreed form", '{"type":"ports","ports":[{"port":70000,"process":null}]}\n'],
  ["a line without an end", "x".repeat(maxControlLineBytes + 1)],
])("%s ends the stream, and it is opened again", async (_what, text) => {
  streams.hold(owner);
  const end = await supervisorEnd();
  end.on("error", () => undefined);
  end.write(text);
  await once(end, "close");
  const again = await supervisorEnd();
  again.write('{"type":"activity"}\n');
  await untilHeard("activity");
});

it("a released workspace's stream ends, and is not opened again", async () => {
  streams.hold(owner);
  const end = await supervisorEnd();
  end.resume();
  streams.release(owner);
  await once(end, "close");
  streams.hold(owner);
  const again = await supervisorEnd();
  expect(again.destroyed).toBe(false);
});

it("what changes twice is heard in its order, though the first takes longer", async () => {
  let finish: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (finish = resolve));
  const takes = [held, Promise.resolve()];
  hearFirst = () => takes.shift() ?? Promise.resolve();
  streams.hold(owner);
  const end = await supervisorEnd();
  const ports = (port: number) => `{"type":"ports","ports":[{"port":${port},"process":null}]}\n`;
  // All of them are read in one turn of the loop; then the first goes on.
  answerWith = () => {
    setImmediate(finish);
    return Promise.resolve({});
  };
  end.write('{"type":"ask","id":"1","ask":{"kind":"show"}}\n' + ports(1) + ports(2));
  await untilHeard("ports 2");
  expect(heard).toEqual(["ports 1", "ports 2"]);
});

it("a flood is read no faster than anybody has something to say", async () => {
  streams.hold(owner);
  const end = await supervisorEnd();
  const began = performance.now();
  end.write('{"type":"activity"}\n'.repeat(210));
  await untilHeardTimes("activity", 210);
  // 200 at once, and 20 in a second after that.
  expect(performance.now() - began).toBeGreaterThan(400);
});

it("one whose supervisor knew no such stream is held again when it runs the next time", async () => {
  refuseWith = new OneloopError("not-found", "No such stream.");
  const refused = new Promise<void>((resolve) => (poke = resolve));
  streams.hold(owner);
  await refused;
  await new Promise((resolve) => setImmediate(resolve));
  refuseWith = null;
  streams.hold(owner);
  const end = await supervisorEnd();
  end.write('{"type":"activity"}\n');
  await untilHeard("activity");
});

function untilHeardTimes(text: string, times: number): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (heard.filter((one) => one === text).length >= times) resolve();
    };
    poke = look;
    look();
  });
}
