import { execa } from "execa";

export interface ExecOptions {
  readonly cwd?: string;
  /** The whole environment: nothing is inherited unless it is given here. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Buffer;
  readonly uid?: number;
  readonly gid?: number;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Called for each line of output, standard output and error alike, as it comes. */
  readonly onLine?: (line: string) => void;
}

export interface ExecResult {
  /** `null` when a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * The only place that starts a process. Arguments are an array, never a shell string. A process
 * that outlives its time-out or its signal gets TERM, and KILL 5 s later.
 */
export interface Execer {
  /** Resolves for every exit code; rejects only when the program cannot be started. */
  run(program: string, args: readonly string[], options?: ExecOptions): Promise<ExecResult>;
}

/** TERM first; what has not ended after this is killed. */
const killAfterMs = 5000;

export const systemExecer: Execer = {
  async run(program, args, options = {}) {
    const child = execa(program, args, {
      reject: false,
      all: options.onLine !== undefined,
      extendEnv: options.env === undefined,
      forceKillAfterDelay: killAfterMs,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.stdin === undefined ? { stdin: "ignore" } : { input: options.stdin }),
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
      ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
      ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    });
    if (options.onLine !== undefined) {
      const onLine = options.onLine;
      void (async () => {
        for await (const line of child.iterable({ from: "all" })) onLine(line);
      })().catch(() => undefined);
    }
    const result = await child;
    if (result.exitCode === undefined && result.code !== undefined) {
      throw new Error(`cannot start ${program}: ${result.code}`, { cause: result });
    }
    return {
      exitCode: result.exitCode ?? null,
      stdout: result.stdout,
      stderr: result.stderr,
    };
  },
};
