import pty from "node-pty";

/** A loaded machine is slow; what takes longer hangs. */
const patienceMs = 20_000;

/** A program on a terminal of this machine: its text so far, and waiting for more of it. */
export class Screen implements Disposable {
  text = "";
  readonly exitCode: Promise<number>;
  readonly #terminal: pty.IPty;
  #changed = (): void => undefined;

  constructor(
    program: string,
    args: readonly string[],
    options: { env?: NodeJS.ProcessEnv; cols?: number; rows?: number; cwd?: string } = {},
  ) {
    this.#terminal = pty.spawn(program, [...args], { name: "xterm-256color", ...options });
    this.#terminal.onData((data) => {
      this.text += data;
      this.#changed();
    });
    this.exitCode = new Promise((resolve) => {
      this.#terminal.onExit(({ exitCode }) => resolve(exitCode));
    });
  }

  type(text: string): void {
    this.#terminal.write(text);
  }

  resize(cols: number, rows: number): void {
    this.#terminal.resize(cols, rows);
  }

  kill(signal: string): void {
    this.#terminal.kill(signal);
  }

  /**
   * Resolves with all text up to and with the first match, which is then seen no more.
   *
   * @throws Error with what it shows instead.
   */
  async shows(wanted: string | RegExp): Promise<string> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#changed();
    }, patienceMs);
    try {
      for (;;) {
        const end = endOf(this.text, wanted);
        if (end !== null) {
          const seen = this.text.slice(0, end);
          this.text = this.text.slice(end);
          return seen;
        }
        if (late) throw new Error(`it never showed ${wanted}, but ${JSON.stringify(this.text)}`);
        await new Promise<void>((resolve) => {
          this.#changed = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }

  [Symbol.dispose](): void {
    try {
      this.#terminal.kill("SIGKILL");
    } catch {
      // It has ended.
    }
  }
}

function endOf(text: string, wanted: string | RegExp): number | null {
  if (typeof wanted === "string") {
    const at = text.indexOf(wanted);
    return at === -1 ? null : at + wanted.length;
  }
  const match = wanted.exec(text);
  return match === null ? null : match.index + match[0].length;
}
