import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  lastSupervisorPort,
  supervisorPort,
  type ReadyLine,
  type SupervisorConfig,
} from "../../server/protocol/supervisor.ts";
import { Claim } from "./claim.ts";
import { startSupervisor } from "./server.ts";

/** Ports of the sandbox's rules; the first is the dev service's. */
const ports = Array.from(
  { length: lastSupervisorPort - supervisorPort },
  (_, index) => supervisorPort + 1 + index,
);

/** The kernel's largest (proc(5)): a shell must not be the end of the service that it looks at. */
const firstToEnd = "1000";

export interface EnterOptions {
  readonly config: SupervisorConfig;
  readonly entered: NonNullable<SupervisorConfig["entered"]>;
  readonly runFolder: string;
  /** Instead of those of the sandbox's rules. */
  readonly port?: number;
  readonly log: (line: string) => void;
  readonly onIdle: () => void;
}

export interface Entered {
  readonly ready: string;
  /** Ends the supervisor that was started; null: there was one already, and it stays. */
  readonly supervisor: AsyncDisposable | null;
}

/**
 * The supervisor of a container whose first process is the service's own. There is one: whoever
 * comes second gets the first one's ready line.
 */
export async function enter(options: EnterOptions): Promise<Entered> {
  const { config, entered, runFolder, log, onIdle } = options;
  const claim = await Claim.at(join(runFolder, "entered.sock"));
  if (typeof claim === "string") return { ready: claim, supervisor: null };
  try {
    writeFileSync("/proc/self/oom_score_adj", firstToEnd);
  } catch (error) {
    log(`the kernel may take the service before the supervisor: ${String(error)}`);
  }
  const supervisor = await startSupervisor({
    config,
    ports: options.port === undefined ? ports : [options.port],
    runFolder,
    log,
    idle: { ms: entered.idleMs, onIdle },
  });
  const { boot, port } = supervisor;
  const ready: ReadyLine = { oneloop: "ready", boot, port };
  const line = JSON.stringify(ready);
  claim.tell(line, () => supervisor.touch());
  return {
    ready: line,
    supervisor: {
      [Symbol.asyncDispose]: async () => {
        // First this: who comes from now on starts another one.
        await claim[Symbol.asyncDispose]();
        await supervisor[Symbol.asyncDispose]();
      },
    },
  };
}
