import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { stopContainer } from "../../../server/engine/docker/stopping.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { startContainer } from "../../helpers/container.ts";
import { docker } from "../../helpers/engine-objects.ts";
import { startTestEngine, type TestEngine } from "../../helpers/test-engine.ts";

const lifetime = new Lifetime();
let test: TestEngine;
beforeAll(async () => {
  test = lifetime.own(await startTestEngine());
});
afterAll(() => lifetime[Symbol.asyncDispose]());

/** Longer than any test waits: who is ended before has ended itself, or was not waited for. */
const graceSeconds = 100_000;
const killed = 128 + 9;

const python = (then: string): string[] => [
  "python3",
  "-c",
  `import ctypes, os, signal, time\n${then}`,
];
/** Those that end themselves have something to do first, which takes them a second. */
const sleeper = ["sh", "-c", "echo ready; exec sleep infinity"];
const trap = [
  "sh",
  "-c",
  "trap 'sleep 1; exit 7' TERM; echo ready; while :; do sleep 1000 & wait $!; done",
];

const block = "signal.pthread_sigmask(signal.SIG_BLOCK, {15})\nprint('ready', flush=True)";
const waits = python(`${block}\nsignal.sigwait({15})\ntime.sleep(1)\nos._exit(7)`);
const reads = python(`${block}\nmask = ctypes.c_uint64(1 << 14)
os.read(ctypes.CDLL(None).signalfd(-1, ctypes.byref(mask), 0), 128)\ntime.sleep(1)\nos._exit(7)`);
const other = python("signal.signal(1, print)\nprint('ready', flush=True)\nsignal.pause()");

it.each([
  { what: "a program with a handler ends itself", command: trap, init: false, code: 7 },
  { what: "so does one behind tini, Docker's own init", command: trap, init: true, code: 7 },
  { what: "so does one that waits for signals", command: waits, init: false, code: 7 },
  { what: "so does one that reads them as a file", command: reads, init: false, code: 7 },
  { what: "one that gets none is not waited for", command: sleeper, init: false, code: killed },
  { what: "nor one that takes others only", command: other, init: false, code: killed },
])("$what", async ({ command, init, code }) => {
  await using running = await startContainer(docker, {
    Image: test.images.workspace,
    Entrypoint: command,
    Labels: { "oneloop.installation": test.installation },
    HostConfig: { NetworkMode: "none", Init: init },
  });
  expect(running.firstLine).toBe("ready");
  const { container, inspect } = running;
  const sleepsIn = (): Promise<string> => readFile(`/proc/${inspect.State.Pid}/wchan`, "latin1");
  await expect.poll(sleepsIn).not.toBe("0");
  await stopContainer(container, { graceSeconds, signal: AbortSignal.timeout(60_000) });
  expect((await container.inspect()).State).toMatchObject({ Running: false, ExitCode: code });
});
