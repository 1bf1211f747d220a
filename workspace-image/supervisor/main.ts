import { writeSync } from "node:fs";
import {
  supervisorMount,
  supervisorPort,
  type ReadyLine,
} from "../../server/protocol/supervisor.ts";
import { takeConfig } from "./config.ts";
import { enter, type Entered } from "./entered.ts";
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
  const config = takeConfig(process.env);
  const givenPort = process.env[portVariable];
  const runFolder = process.env[runFolderVariable] ?? `${supervisorMount}/run`;
  let supervisor: Entered["supervisor"] = null;
  const stop = (): void => {
    const ended = Promise.resolve(supervisor?.[Symbol.asyncDispose]());
    void ended.finally(() => process.exit(0));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  let ready: string;
  if (config.entered === undefined) {
    const ports = [Number(givenPort ?? supervisorPort)];
    const started = await startSupervisor({ config, ports, runFolder, log });
    const line: ReadyLine = { oneloop: "ready", boot: started.boot };
    ready = JSON.stringify(line);
    supervisor = started;
  } else {
    const { entered } = config;
    const port = givenPort === undefined ? {} : { port: Number(givenPort) };
    const options = { config, entered, runFolder, ...port, log, onIdle: stop };
    ({ ready, supervisor } = await enter(options));
  }
  writeSync(stdout, `${ready}\n`);
  // The line of another one: it is there for both.
  if (supervisor === null) process.exit(0);
}

main().catch((error: unknown) => {
  log(`the supervisor cannot start: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
