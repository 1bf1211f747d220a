import { watch } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { WorkspaceRow } from "../../../server/db/workspaces.ts";
import type { Engine } from "../../../server/engine/engine.ts";
import type { LogEntry } from "../../../server/engine/services.ts";
import type { Task } from "../../../server/protocol/plan.ts";
import { Supervisors } from "../../../server/terminals/supervisors.ts";
import { placeIn } from "../../../server/workspaces/places.ts";
import {
  readServiceLog,
  type LogPart,
  type LogRequest,
} from "../../../server/workspaces/service-logs.ts";
import { planOf, service } from "../../helpers/plans.ts";
import { signer, testSupervisor, workspace } from "../supervisor/harness.ts";

const plan = planOf([service("dev"), service("db")]);
const row = { id: workspace, name: "govapp-main-xyz", state: "running", plan } as WorkspaceRow;

const all: LogRequest = {
  follow: false,
  tail: null,
  after: null,
  signal: new AbortController().signal,
};

/** A dev service whose own command is this line; its setup is told, so it runs. */
async function dev(script: string) {
  const task: Task = {
    ...{ name: "dev", phase: "start", in: "dev", oncePer: "start", needs: [], terminal: true },
    command: ["sh", "-c", script],
  };
  const supervisor = await testSupervisor({ config: { tasks: [task] } });
  await supervisor.setup();
  const address = { host: "127.0.0.1", port: supervisor.port };
  const engine: Pick<Engine, "supervisorAddress"> = { supervisorAddress: async () => address };
  const supervisors = new Supervisors(engine as Engine, signer());
  const parts = { engine: noLogs, supervisors };
  const place = placeIn(row, null);
  return {
    supervisor,
    read: (request: Partial<LogRequest> = {}) =>
      readServiceLog(parts, { row, place }, { ...all, ...request }),
    [Symbol.asyncDispose]: () => supervisor[Symbol.asyncDispose](),
  };
}

const noLogs: Pick<Engine, "logs"> = {
  logs: () => {
    throw new Error("the dev service has no log of the engine's");
  },
};

async function collect(parts: AsyncIterable<LogPart>): Promise<LogPart[]> {
  const collected: LogPart[] = [];
  for await (const part of parts) collected.push(part);
  return collected;
}

function textOf(parts: readonly LogPart[]): string {
  return parts
    .flatMap(({ update }) => (update.kind === "output" ? update.pieces : []))
    .map(({ text }) => text)
    .join("");
}

test("the dev service's log is what its own command printed", async () => {
  await using one = await dev("echo one; echo two; printf three");
  await one.supervisor.tasksEnded;
  const whole = await collect(one.read());
  expect(textOf(whole)).toBe("one\r\ntwo\r\nthree");
  expect(textOf(await collect(one.read({ tail: 2 })))).toBe("two\r\nthree");
  expect(textOf(await collect(one.read({ tail: 0 })))).toBe("");
  expect(textOf(await collect(one.read({ tail: 9 })))).toBe("one\r\ntwo\r\nthree");
});

test("it is followed to the command's end, and goes on where a reader was cut off", async () => {
  await using one = await dev("echo one; read line; echo $line; exit 3");
  const controller = new AbortController();
  let place = "";
  for await (const part of one.read({ follow: true, signal: controller.signal })) {
    place = part.place;
    if (textOf([part]).includes("one")) controller.abort();
  }
  const [terminal] = await one.supervisor.terminals();
  const rest = collect(one.read({ follow: true, after: place }));
  using client = await one.supervisor.attach(terminal?.id ?? "");
  client.type("two\r");
  expect(textOf(await rest)).toBe("two\r\ntwo\r\n");
});

test("the command does not wait for who reads its log, who is told what he missed", async () => {
  const bytes = 40_000_000;
  await using one = await dev(
    `mkfifo go end; echo ready; read _ < go
     head -c ${bytes} /dev/zero | tr '\\0' x; touch done; read _ < end`,
  );
  const { home } = one.supervisor;
  const done = new Promise<void>((resolve) => {
    const watcher = watch(home, (_event, name) => {
      if (name !== "done") return;
      watcher.close();
      resolve();
    });
  });
  const reader = one.read({ follow: true })[Symbol.asyncIterator]();
  // From here on nobody reads until the command is through, and nobody else looks at it.
  const first = await reader.next();
  await writeFile(join(home, "go"), "\n");
  await done;
  await writeFile(join(home, "end"), "\n");
  const rest: LogPart[] = first.done === true ? [] : [first.value];
  for (let next = await reader.next(); next.done !== true; next = await reader.next()) {
    rest.push(next.value);
  }
  const missed = rest.flatMap(({ update }) => (update.kind === "skipped" ? [update.bytes] : []));
  const read = textOf(rest).replaceAll(/[^x]/g, "").length;
  expect(missed.length).toBeGreaterThan(0);
  expect(read + missed.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(bytes - 100);
  expect(read).toBeLessThan(bytes);
});

test("a dev service without a command of its own says so", async () => {
  await using one = await dev("true");
  const place = placeIn(row, null);
  const other = { ...row, plan: { ...plan, devService: "db" } };
  await one.supervisor.tasksEnded;
  const nobodys = { supervisors: { json: async () => [], upgrade: async () => fail() } };
  const read = readServiceLog({ engine: noLogs, ...nobodys }, { row: other, place }, all);
  await expect(collect(read)).rejects.toMatchObject({ code: "not-found" });
});

function fail(): never {
  throw new Error("nothing is to be opened");
}

test("a service's log keeps characters whole that its pieces cut", async () => {
  const bytes = Buffer.from("grün\n");
  const entries: LogEntry[] = [
    { at: "2026-01-05T09:00:00.1Z", stream: "stdout", data: bytes.subarray(0, 3) },
    { at: "2026-01-05T09:00:00.2Z", stream: "stderr", data: Buffer.from("oops\n") },
    { at: "2026-01-05T09:00:00.3Z", stream: "stdout", data: bytes.subarray(3) },
  ];
  const engine: Pick<Engine, "logs"> = {
    async *logs() {
      yield entries;
    },
  };
  const parts = { engine, supervisors: { json: async () => [], upgrade: async () => fail() } };
  const [part, ...more] = await collect(
    readServiceLog(parts, { row, place: placeIn(row, "db") }, all),
  );
  expect(more).toEqual([]);
  expect(part?.place).toBe("2026-01-05T09:00:00.3Z");
  expect(textOf(part === undefined ? [] : [part])).toBe("groops\nün\n");
});
