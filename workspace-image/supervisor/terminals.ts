import type { TerminalInfo } from "../../server/protocol/supervisor.ts";
import type { Program } from "./environment.ts";
import { randomId } from "./ids.ts";
import { exitCodeOf, type Processes } from "./processes.ts";
import type { PtyWishes } from "./pty-preparation.ts";
import { Pty, type PtyEnd } from "./pty.ts";
import { Refusal } from "./refusal.ts";
import { Ring } from "./ring.ts";

/** What a reload of the page shows again: several full screens with colours. */
const ringBytes = 256 * 1024;

/**
 * The program waits while even the fastest client has more than `high` before it, and goes on when
 * one has less than `low`. `high` is half of the ring, so that the fastest never loses a byte; it is
 * far more than a connection needs to stay busy.
 */
const highWatermarkBytes = ringBytes / 2;
const lowWatermarkBytes = 32 * 1024;

/** What a slow client is given from the ring at a time. */
const pieceBytes = 64 * 1024;

/**
 * Beyond any use that people make of one workspace (the kernel has 4096 for all of them); each
 * takes up to a ring of memory.
 */
const maxRunning = 512;
const maxEnded = 16;

/** A client's connection, as a terminal sees it. */
export interface Sink {
  /** Takes it always; `congested` says when to stop. The bytes do not change afterwards. */
  output(chunk: Buffer): void;
  /** What follows begins at `offset`: bytes between were lost, because the client was too slow. */
  skipped(offset: number): void;
  resized(cols: number, rows: number): void;
  /** After the last byte. */
  ended(end: PtyEnd): void;
  /** The connection's own buffer is full; `Follower.drained` is called when it is empty. */
  readonly congested: boolean;
  readonly queuedBytes: number;
  /** It reads along, and the program does not wait for it. */
  readonly onlooker?: boolean;
}

export interface TerminalOptions {
  readonly title: string;
  readonly task: string | null;
  readonly cols: number;
  readonly rows: number;
  /** An exec stream's: somebody's who looks at it by that stream, as long as it lasts. */
  readonly ofStream?: boolean;
  /** Absent: the terminal is as every new one. */
  readonly wishes?: PtyWishes;
}

/** One reader of a terminal, with an offset of its own: a slow one holds up nobody else. */
export class Follower implements Disposable {
  readonly #terminal: Terminal;
  readonly #sink: Sink;
  #next: number;
  #told = false;

  constructor(terminal: Terminal, sink: Sink, from: number) {
    this.#terminal = terminal;
    this.#sink = sink;
    this.#next = from;
  }

  /** Bytes that the client has not taken yet. */
  get pendingBytes(): number {
    return this.#terminal.ring.end - this.#next + this.#sink.queuedBytes;
  }

  /** The connection has taken every byte that it was given. */
  get holdsNothing(): boolean {
    return this.#sink.queuedBytes === 0;
  }

  /** Whether the program waits for it. */
  get holds(): boolean {
    return this.#sink.onlooker !== true;
  }

  /** The newest chunk, which is in the ring already: a client that is not behind gets it as it is. */
  offer(chunk: Buffer): void {
    if (this.#next === this.#terminal.ring.end - chunk.length && !this.#sink.congested) {
      this.#next += chunk.length;
      this.#sink.output(chunk);
    } else {
      this.pump();
    }
  }

  /** Gives what the client can take now. */
  pump(): void {
    const { ring, end } = this.#terminal;
    while (this.#next < ring.end && !this.#sink.congested) {
      if (this.#next < ring.start) {
        this.#next = ring.start;
        this.#sink.skipped(this.#next);
      }
      const piece = ring.read(this.#next, pieceBytes);
      this.#next += piece.length;
      this.#sink.output(piece);
    }
    if (end === null || this.#next < ring.end || this.#told) return;
    this.#told = true;
    this.#sink.ended(end);
  }

  /** The connection has room again. */
  drained(): void {
    this.pump();
    this.#terminal.regulate();
  }

  resized(cols: number, rows: number): void {
    this.#sink.resized(cols, rows);
  }

  [Symbol.dispose](): void {
    this.#terminal.detach(this);
  }
}

/** A program on a pty, its last output, and who looks on. */
export class Terminal {
  readonly id: string;
  readonly ring = new Ring(ringBytes);
  readonly #options: TerminalOptions;
  readonly #pty: Pty;
  readonly #followers = new Set<Follower>();
  readonly #onEnded: (terminal: Terminal) => void;
  #waitingForInput: (() => void)[] = [];
  #cols: number;
  #rows: number;
  #paused = false;
  #end: PtyEnd | null = null;

  constructor(
    program: Program,
    options: TerminalOptions & { readonly processes: Processes },
    onEnded: (terminal: Terminal) => void,
  ) {
    this.id = randomId();
    this.#options = options;
    this.#onEnded = onEnded;
    this.#cols = options.cols;
    this.#rows = options.rows;
    this.#pty = new Pty(program, options, {
      onData: (chunk) => this.#output(chunk),
      onEnd: (end) => this.#ended(end),
      onInputDrained: () => {
        const waiting = this.#waitingForInput;
        this.#waitingForInput = [];
        for (const resume of waiting) resume();
      },
    });
  }

  get pid(): number {
    return this.#pty.process.pid;
  }

  /** How it ended; `null` while it runs or has output to come. */
  get end(): PtyEnd | null {
    return this.#end;
  }

  get task(): string | null {
    return this.#options.task;
  }

  info(): TerminalInfo {
    const { title, task, ofStream = false } = this.#options;
    const running = this.#end === null;
    return {
      id: this.id,
      title,
      task,
      running,
      detached: ofStream && running && this.#followers.size === 0,
      exitCode: this.#end === null ? null : exitCodeOf(this.#end.code, this.#end.signal),
      cols: this.#cols,
      rows: this.#rows,
    };
  }

  /**
   * Starts a reader at `from`, or at the first byte that is kept. `begin` learns the offset before
   * any byte is given.
   */
  follow(sink: Sink, from: number, begin?: (offset: number, end: number) => void): Follower {
    const { start, end } = this.ring;
    // An offset beyond the end is not one of this terminal's.
    const offset = from < start || from > end ? start : from;
    begin?.(offset, end);
    const follower = new Follower(this, sink, offset);
    this.#followers.add(follower);
    follower.pump();
    this.regulate();
    return follower;
  }

  detach(follower: Follower): void {
    this.#followers.delete(follower);
    this.regulate();
  }

  /** Shows a text as if the program had printed it. */
  print(text: string): void {
    this.#output(Buffer.from(text));
  }

  /** Input; when it gives false, `resume` is called once as soon as more is welcome. */
  write(data: Buffer, resume: () => void): boolean {
    if (this.#pty.write(data)) return true;
    this.#waitingForInput.push(resume);
    return false;
  }

  resize(cols: number, rows: number): void {
    if (this.#end !== null || (cols === this.#cols && rows === this.#rows)) return;
    this.#cols = cols;
    this.#rows = rows;
    this.#pty.resize(cols, rows);
    for (const follower of this.#followers) follower.resized(cols, rows);
  }

  signal(name: NodeJS.Signals): void {
    this.#pty.process.signal(name);
  }

  /** HUP, TERM after 2 s, KILL after 5 s more. */
  hangUp(): void {
    this.#pty.process.hangUp();
  }

  /** Holds the program while all readers are behind; with no reader it is never held. */
  regulate(): void {
    if (this.#end !== null) return;
    let least = Infinity;
    for (const follower of this.#followers) {
      if (follower.holds) least = Math.min(least, follower.pendingBytes);
    }
    if (!this.#paused && least !== Infinity && least > highWatermarkBytes) {
      this.#paused = true;
      this.#pty.pause();
    } else if (this.#paused && (least === Infinity || least < lowWatermarkBytes)) {
      this.#paused = false;
      this.#pty.resume();
    }
  }

  /** @returns whether nobody needs the chunk any more: what is still to be given is in the ring. */
  #output(chunk: Buffer): boolean {
    this.ring.append(chunk);
    let done = true;
    for (const follower of this.#followers) {
      follower.offer(chunk);
      done &&= follower.holdsNothing;
    }
    this.regulate();
    return done;
  }

  #ended(end: PtyEnd): void {
    this.#end = end;
    for (const follower of this.#followers) follower.pump();
    this.#onEnded(this);
  }
}

/** All terminals of a workspace: those that run, and the last that ended. */
export class Terminals {
  readonly #terminals = new Map<string, Terminal>();
  /** Those to forget when they end. */
  readonly #unwanted = new Set<Terminal>();
  readonly #processes: Processes;

  constructor(processes: Processes) {
    this.#processes = processes;
  }

  /** @throws Refusal when there are too many. */
  start(program: Program, options: TerminalOptions, onEnded?: () => void): Terminal {
    const running = [...this.#terminals.values()].filter(({ end }) => end === null).length;
    if (running >= maxRunning) {
      throw new Refusal(503, "conflict", `There are ${maxRunning} terminals. Close one first.`);
    }
    const terminal = new Terminal(program, { ...options, processes: this.#processes }, () => {
      onEnded?.();
      if (this.#unwanted.delete(terminal)) this.#terminals.delete(terminal.id);
      this.#dropOldEnded();
    });
    this.#terminals.set(terminal.id, terminal);
    return terminal;
  }

  list(): TerminalInfo[] {
    return [...this.#terminals.values()].map((terminal) => terminal.info());
  }

  /** @throws Refusal 404. */
  get(id: string): Terminal {
    const terminal = this.#terminals.get(id);
    if (terminal !== undefined) return terminal;
    throw new Refusal(404, "not-found", "There is no such terminal.");
  }

  /** Ends its program, and forgets it when that has ended. */
  remove(terminal: Terminal): void {
    if (terminal.end !== null) {
      this.#terminals.delete(terminal.id);
      return;
    }
    this.#unwanted.add(terminal);
    terminal.hangUp();
  }

  /** The oldest first: a map keeps the order of insertion. */
  #dropOldEnded(): void {
    const ended = [...this.#terminals.values()].filter(({ end }) => end !== null);
    for (const terminal of ended.slice(0, -maxEnded)) this.#terminals.delete(terminal.id);
  }
}
