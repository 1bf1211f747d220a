import { writeSync } from "node:fs";
import {
  supervisorMount,
  supervisorPort,
  type ReadyLine,
} from "../../server/protocol/supervisor.ts";
import { takeConfig } from "./config.ts";
import { startSupervisor } from "./server.ts";

/** By descriptor: process.stdout is a stream that takes time to make. */
const stdout = 1;

const log = (line: string): void => {
  process.stderr.write(`${line}\n`);
};

/** Only the tests of this program set them: it runs beside others there, outside of a container. */
const portVariable = "ONELOOP_SUPERVISOR_PORT";
const runFolderVariable = "ONELOOP_SUPERVISOR_RUN";

// One bad client must never end the programs of a whole workspace. A stray error belongs to one
// stream, whose socket ends by itself; the state that streams share (the registries) is changed
// only by code that cannot throw half way. To go on is therefore safer than to end.
process.on("uncaughtException", (error) => log(`uncaught: ${error.stack ?? String(error)}`));

async function main(): Promise<void> {
  const supervisor = await startSupervisor({
    config: takeConfig(process.env),
    port: Number(process.env[portVariable] ?? supervisorPort),
    runFolder: process.env[runFolderVariable] ?? `${supervisorMount}/run`,
    log,
  });
  const stop = (): void => {
    void supervisor[Symbol.asyncDispose]().finally(() => process.exit(0));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  const ready: ReadyLine = { oneloop: "ready", boot: supervisor.boot };
  writeSync(stdout, `${JSON.stringify(ready)}\n`);
}

main().catch((error: unknown) => {
  log(`the supervisor cannot start: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
