import { constants } from "node:os";
import type { ServerChannel } from "ssh2";
import { toOneloopError } from "../protocol/errors.ts";
import type { ExecExit } from "../protocol/frames.ts";
import type { ExecStream } from "../terminals/exec-stream.ts";
import { awaitEcho, echoCame } from "../util/echoes.ts";
import type { ChannelWriter } from "./connection-flow.ts";
import type { Door } from "./door.ts";
import { notFoundStatus } from "./transfers.ts";

/** The exit status for failures of Oneloop's own, as OpenSSH's client uses it for its own. */
const failureStatus = 255;

/** Signals that have a name in RFC 4254 section 6.10; others become a status, as a shell shows it. */
const namedSignals: ReadonlySet<string> = new Set(
  "ABRT ALRM FPE HUP INT KILL PIPE QUIT SEGV TERM USR1 USR2".split(" "),
);

/** More than a key says, and less than somebody pastes. */
const keystrokeBytes = 64;

/** More than a client has use for before its program runs. */
const maxEarlySignals = 16;

export interface Size {
  readonly cols: number;
  readonly rows: number;
}

/** One program of a channel: joins its exec stream with the channel until both have ended. */
export class Program {
  readonly #channel: ServerChannel;
  readonly #door: Door;
  readonly #pty: boolean;
  readonly #writer: ChannelWriter;
  #forget: () => void = () => undefined;
  #stream: ExecStream | null = null;
  /** Those that came before it was there. */
  readonly #earlySignals: string[] = [];
  #advice: string | null = null;
  #ended = false;

  constructor(channel: ServerChannel, door: Door, pty: boolean) {
    this.#channel = channel;
    this.#door = door;
    this.#pty = pty;
    this.#writer = door.flow.writer(channel, () => this.#stream?.resume());
    this.#forget = door.whenClosed((by) => {
      if (by === "client") this.hangup();
      else this.detach();
    });
    channel.on("error", () => this.hangup());
    channel.on("close", () => this.hangup());
  }

  /** @param advice what to say when the shell did not find what it was to run. */
  async start(open: () => Promise<ExecStream>, advice: string | null = null): Promise<void> {
    this.#advice = advice;
    try {
      this.#join(await open());
    } catch (error) {
      const { code, message } = toOneloopError(error);
      this.#door.log.debug({ err: error, code }, "an SSH session could not start");
      this.#finish({ code: failureStatus, signal: null, error: message });
    }
  }

  /** A sentence of Oneloop's own on standard error. */
  say(sentence: string): void {
    if (this.#ended) return;
    // It may repeat the login name, or what a program said: nothing that a terminal obeys.
    const shown = sentence.replaceAll(/\p{C}/gu, "?");
    const newline = this.#pty ? "\r\n" : "\n";
    this.#writer.write("stderr", Buffer.from(`oneloop: ${shown}${newline}`));
  }

  resize(size: Size): void {
    this.#stream?.resize(size);
  }

  signal(name: string): void {
    if (this.#stream !== null) this.#stream.signal(name);
    else if (this.#earlySignals.length < maxEarlySignals) this.#earlySignals.push(name);
  }

  /** The client is gone, or closed the channel: the program is told, and its output is dropped. */
  hangup(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stream?.hangup();
    this.#stream?.resume();
    this.#release();
  }

  /** The gateway ends: a program on a pty goes on as a terminal. */
  detach(): void {
    this.#ended = true;
    this.#stream?.[Symbol.dispose]();
    this.#release();
  }

  #join(stream: ExecStream): void {
    const channel = this.#channel;
    this.#stream = stream;
    stream.onDrain(() => channel.resume());
    stream.listen({
      onStdout: (piece) => this.#output("stdout", piece),
      onStderr: (piece) => this.#output("stderr", piece),
      onExit: (exit) => this.#finish(exit),
    });
    if (this.#ended) {
      stream.hangup();
      return;
    }
    for (const name of this.#earlySignals.splice(0)) stream.signal(name);
    this.#door.flow.input.passOn(channel, stream);
    channel.on("end", () => stream.endInput());
    channel.on("data", (chunk: Buffer) => {
      if (this.#pty && chunk.length < keystrokeBytes) awaitEcho();
      if (!this.#ended && !stream.write(chunk)) channel.pause();
    });
  }

  #output(to: "stdout" | "stderr", piece: Uint8Array): void {
    if (!this.#ended && !this.#writer.write(to, piece)) this.#stream?.pause();
    if (this.#pty) echoCame();
  }

  #finish(exit: ExecExit): void {
    if (this.#ended) return;
    if (exit.error !== null) this.say(exit.error);
    if (exit.code === notFoundStatus && this.#advice !== null) this.say(this.#advice);
    this.#writer.whenEmpty(() => {
      if (this.#ended) return;
      this.#ended = true;
      if (exit.signal !== null && namedSignals.has(exit.signal)) this.#channel.exit(exit.signal);
      else this.#channel.exit(statusOf(exit));
      this.#release();
      this.#channel.end();
      // Input that nobody reads any more.
      this.#channel.resume();
    });
  }

  #release(): void {
    this.#forget();
    this.#writer[Symbol.dispose]();
  }
}

function statusOf({ code, signal }: ExecExit): number {
  if (code !== null) return code;
  const number = Object.entries(constants.signals).find(([name]) => name === `SIG${signal}`)?.[1];
  return number === undefined ? failureStatus : 128 + number;
}
