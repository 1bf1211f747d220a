import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Task } from "../../server/protocol/plan.ts";
import type { SupervisorConfig, TaskInfo } from "../../server/protocol/supervisor.ts";
import type { Environment, Program } from "./environment.ts";
import { spawnPiped, startFailure } from "./exec.ts";
import { exitCodeOf, type Processes } from "./processes.ts";
import { Ring } from "./ring.ts";
import type { Terminals } from "./terminals.ts";

/** In the home volume: it lives as long as the workspace. */
const marksFolder = ".oneloop/tasks";

/** Of a task without a terminal: what the log says when it fails. */
const keptOutputBytes = 16 * 1024;

/** Until somebody looks at it and says how large their screen is. */
const taskSize = { cols: 80, rows: 24 };

export interface TaskParts {
  readonly environment: Environment;
  readonly processes: Processes;
  readonly terminals: Terminals;
  readonly log: (line: string) => void;
}

interface Entry {
  readonly task: Task;
  state: TaskInfo["state"];
  exitCode: number | null;
  terminal: string | null;
}

/** Runs the plan's tasks: those of `create` once per workspace, then those of `start`. */
export class Tasks {
  readonly #config: Pick<SupervisorConfig, "home" | "imageCommand">;
  readonly #parts: TaskParts;
  readonly #entries: readonly Entry[];

  constructor(config: Pick<SupervisorConfig, "home" | "imageCommand" | "tasks">, parts: TaskParts) {
    this.#config = config;
    this.#parts = parts;
    this.#entries = config.tasks
      .filter(({ phase }) => phase === "create" || phase === "start")
      .map((task) => ({ task, state: "waiting", exitCode: null, terminal: null }));
  }

  list(): TaskInfo[] {
    return this.#entries.map(({ task, state, exitCode, terminal }) => ({
      name: task.name,
      state,
      exitCode,
      terminal,
    }));
  }

  /** Resolves when all have ended; a server never does. */
  async run(): Promise<void> {
    for (const phase of ["create", "start"] as const) {
      const entries = this.#entries.filter(({ task }) => task.phase === phase);
      const results = new Map<string, Promise<void>>();
      await Promise.all(entries.map((entry) => this.#after(entry, { entries, results, path: [] })));
    }
  }

  /** Runs a task once what it needs is done; a task that needs a failed one fails. */
  #after(
    entry: Entry,
    graph: {
      readonly entries: readonly Entry[];
      readonly results: Map<string, Promise<void>>;
      readonly path: readonly string[];
    },
  ): Promise<void> {
    const { name, needs } = entry.task;
    const known = graph.results.get(name);
    if (known !== undefined) return known;
    const result = (async () => {
      // What is not in this list runs elsewhere or in another phase: it was seen to before.
      const needed = this.#entries.filter(({ task }) => needs.includes(task.name));
      await Promise.all(
        needed
          .filter((each) => graph.entries.includes(each) && !graph.path.includes(each.task.name))
          .map((each) => this.#after(each, { ...graph, path: [...graph.path, name] })),
      );
      if (needed.every(({ state }) => state === "done")) await this.#run(entry);
      else entry.state = "failed";
    })();
    graph.results.set(name, result);
    return result;
  }

  async #run(entry: Entry): Promise<void> {
    const { task } = entry;
    const mark = join(this.#config.home, marksFolder, `${encodeURIComponent(task.name)}.done`);
    const once = task.oncePer === "workspace" || task.oncePer === "content";
    const argv = task.command ?? this.#config.imageCommand;
    if (argv.length === 0 || (once && existsSync(mark))) {
      entry.state = "done";
      return;
    }
    entry.state = "running";
    entry.exitCode = await this.#exitCode(entry, argv);
    entry.state = entry.exitCode === 0 ? "done" : "failed";
    if (entry.state === "done" && once) this.#leaveMark(mark);
  }

  async #exitCode(entry: Entry, argv: readonly string[]): Promise<number> {
    const { environment, log } = this.#parts;
    const term = entry.task.terminal ? "xterm-256color" : null;
    try {
      const program = environment.program({ argv, cwd: null, env: {}, term });
      return await (entry.task.terminal
        ? this.#inTerminal(entry, program)
        : this.#inBackground(entry.task.name, program));
    } catch (error) {
      const { code, error: why } = startFailure(error);
      log(`task ${entry.task.name} cannot start: ${why}`);
      return code ?? 126;
    }
  }

  #inTerminal(entry: Entry, program: Program): Promise<number> {
    const { name } = entry.task;
    return new Promise((resolve) => {
      const options = { title: name, task: name, ...taskSize };
      const terminal = this.#parts.terminals.start(program, options, () =>
        resolve(terminal.info().exitCode ?? 0),
      );
      entry.terminal = terminal.id;
    });
  }

  #inBackground(name: string, program: Program): Promise<number> {
    const child = spawnPiped(program, "ignore");
    const running = child.pid === undefined ? null : this.#parts.processes.add(child.pid);
    const output = new Ring(keptOutputBytes);
    child.stdout?.on("data", (chunk: Buffer) => output.append(chunk));
    child.stderr?.on("data", (chunk: Buffer) => output.append(chunk));
    child.on("exit", () => running?.exited());
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => {
        const exitCode = exitCodeOf(code, signal === null ? null : signal.slice("SIG".length));
        if (exitCode !== 0) {
          const end = output.read(output.start, keptOutputBytes).toString("utf8");
          this.#parts.log(`task ${name} ended with ${exitCode}: ${end}`);
        }
        resolve(exitCode);
      });
    });
  }

  #leaveMark(mark: string): void {
    try {
      mkdirSync(join(this.#config.home, marksFolder), { recursive: true });
      writeFileSync(mark, "");
    } catch (error) {
      this.#parts.log(`a task's mark could not be written: ${String(error)}`);
    }
  }
}
