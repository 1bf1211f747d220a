import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TaskMessage } from "../../server/protocol/control.ts";
import type { Task } from "../../server/protocol/plan.ts";
import type { SupervisorConfig, TaskInfo } from "../../server/protocol/supervisor.ts";
import type { Environment, Program } from "./environment.ts";
import { spawnPiped, startFailure } from "./exec.ts";
import { exitCodeOf, type Processes } from "./processes.ts";
import { Ring } from "./ring.ts";
import type { Terminals } from "./terminals.ts";

/** In the home volume: it lives as long as the workspace. */
const marksFolder = ".oneloop/tasks";
/**
 * In the container's own file system, where everybody may write (FHS, /var/tmp): it lives as long as
 * the container. Where that is read-only, there is no mark, and such a task runs at each start.
 */
const containerMarks = "/var/tmp";

/** Of a task without a terminal: what the log says when it fails. */
const keptOutputBytes = 16 * 1024;

/** Until somebody looks at it and says how large their screen is. */
const taskSize = { cols: 80, rows: 24 };

export interface TaskParts {
  readonly environment: Environment;
  readonly processes: Processes;
  readonly terminals: Terminals;
  readonly log: (line: string) => void;
  /** A task began, and its terminal is there; or it ended, or could not start. */
  readonly onChange: (task: Omit<TaskMessage, "type">) => void;
}

interface Entry {
  readonly task: Task;
  state: TaskInfo["state"];
  exitCode: number | null;
  terminal: string | null;
}

type Phase = "create" | "start" | "stop";

/**
 * Runs the plan's tasks: those of `create` once per workspace, then those of `start`, and those of
 * `stop` before the workspace stops.
 */
export class Tasks {
  readonly #config: Pick<SupervisorConfig, "home" | "imageCommand">;
  readonly #parts: TaskParts;
  readonly #entries: readonly Entry[];
  /** Resolves when all of `create` and `start` have ended; a server never does. */
  readonly ended: Promise<void>;
  readonly #resolveEnded: () => void;
  #running = false;
  #stopping: Promise<void> | null = null;

  constructor(config: Pick<SupervisorConfig, "home" | "imageCommand" | "tasks">, parts: TaskParts) {
    this.#config = config;
    this.#parts = parts;
    let resolveEnded = (): void => undefined;
    this.ended = new Promise((resolve) => {
      resolveEnded = resolve;
    });
    this.#resolveEnded = resolveEnded;
    this.#entries = config.tasks
      .filter(({ phase }) => phase === "create" || phase === "start" || phase === "stop")
      .map((task) => ({ task, state: "waiting", exitCode: null, terminal: null }));
  }

  /** Those of `stop` are not listed: when they run, nobody can look any more. */
  list(): TaskInfo[] {
    return this.#entries
      .filter(({ task }) => task.phase !== "stop")
      .map(({ task, state, exitCode, terminal }) => ({
        name: task.name,
        state,
        exitCode,
        terminal,
      }));
  }

  /** Starts them; a second call does nothing. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#runPhase("create")
      .then(() => this.#runPhase("start"))
      .then(this.#resolveEnded);
  }

  /** No task starts any more but those of `stop`; resolves when they have ended, or are too late. */
  stop(): Promise<void> {
    this.#stopping ??= (async () => {
      // What never began has nothing to end.
      if (!this.#running) return;
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, this.#parts.processes.schedule.stopTasksMs);
      });
      await Promise.race([this.#runPhase("stop"), late]);
      clearTimeout(timer);
    })();
    return this.#stopping;
  }

  async #runPhase(phase: Phase): Promise<void> {
    const entries = this.#entries.filter(({ task }) => task.phase === phase);
    const results = new Map<string, Promise<void>>();
    await Promise.all(entries.map((entry) => this.#after(entry, { entries, results, path: [] })));
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
    const { name, needs, phase } = entry.task;
    const known = graph.results.get(name);
    if (known !== undefined) return known;
    const result = (async () => {
      // What is not in this list runs elsewhere or in another phase: it was seen to before. A server
      // of `start` is still running when the workspace stops.
      const needed = this.#entries.filter(
        ({ task }) => needs.includes(task.name) && (phase === "stop") === (task.phase === "stop"),
      );
      await Promise.all(
        needed
          .filter((each) => graph.entries.includes(each) && !graph.path.includes(each.task.name))
          .map((each) => this.#after(each, { ...graph, path: [...graph.path, name] })),
      );
      if (this.#stopping !== null && phase !== "stop") return;
      if (needed.every(({ state }) => state === "done")) await this.#run(entry);
      else this.#become(entry, "failed");
    })();
    graph.results.set(name, result);
    return result;
  }

  async #run(entry: Entry): Promise<void> {
    const { task } = entry;
    const folder = join(
      task.oncePer === "container" ? containerMarks : this.#config.home,
      marksFolder,
    );
    const mark = join(folder, `${encodeURIComponent(task.name)}.done`);
    const once = task.oncePer !== "start" && task.oncePer !== "attach";
    const argv = task.command ?? this.#config.imageCommand;
    if (argv.length === 0 || (once && existsSync(mark))) {
      entry.state = "done";
      return;
    }
    const ending = this.#exitCode(entry, argv);
    this.#become(entry, "running");
    entry.exitCode = await ending;
    if (entry.exitCode === 0 && once) this.#leaveMark(folder, mark);
    this.#become(entry, entry.exitCode === 0 ? "done" : "failed");
  }

  #become(entry: Entry, state: TaskMessage["state"]): void {
    entry.state = state;
    const { name, phase } = entry.task;
    // That a stop ends what runs is no failure to tell of.
    if (this.#stopping !== null && phase !== "stop") return;
    this.#parts.onChange({ name, state, exitCode: entry.exitCode });
  }

  async #exitCode(entry: Entry, argv: readonly string[]): Promise<number> {
    const { environment, log } = this.#parts;
    const { terminal, cwd = null, env: taskEnv } = entry.task;
    const term = terminal ? "xterm-256color" : null;
    try {
      const program = environment.program({ argv, cwd, env: {}, taskEnv, term });
      return await (terminal
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

  #leaveMark(folder: string, mark: string): void {
    try {
      mkdirSync(folder, { recursive: true });
      writeFileSync(mark, "");
    } catch (error) {
      this.#parts.log(`a task's mark could not be written: ${String(error)}`);
    }
  }
}
