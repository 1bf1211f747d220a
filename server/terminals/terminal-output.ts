import { z } from "zod";
import { FrameDecoder, FrameType } from "../protocol/frames.ts";
import { OutputPosition, supervisorPaths, TaskInfo } from "../protocol/supervisor.ts";
import type { OutputRequest } from "../protocol/supervisor.ts";
import type { Supervisors, Target } from "./supervisors.ts";

/** A piece of what a terminal's program printed. */
export interface TerminalOutput {
  /** The absolute offset of its first byte. */
  readonly offset: number;
  /** The absolute offset of the end of what was printed when this was last said. */
  readonly end: number;
  readonly data: Buffer;
}

/** The terminals of a service's tasks, by the tasks' names; null: it has none (yet). */
export async function taskTerminals(
  supervisors: Pick<Supervisors, "json">,
  target: Target,
): Promise<ReadonlyMap<string, string | null>> {
  const answer = await supervisors.json(target, {
    action: "state",
    method: "GET",
    path: supervisorPaths.tasks,
  });
  const tasks = z.array(TaskInfo).parse(answer);
  return new Map(tasks.map(({ name, terminal }) => [name, terminal]));
}

/**
 * What a terminal's program printed, as a log: the program does not wait for who reads it, and
 * offsets say what such a reader missed. Who leaves the loop ends the stream.
 *
 * @throws OneloopError as `Supervisors.upgrade`, and `supervisor-unreachable` for a stream that
 * breaks or is not understood.
 */
export async function* terminalOutput(
  supervisors: Pick<Supervisors, "upgrade">,
  { target, terminal }: { readonly target: Target; readonly terminal: string },
  { signal, ...request }: OutputRequest & { readonly signal: AbortSignal },
): AsyncGenerator<TerminalOutput> {
  const query = encodeURIComponent(JSON.stringify(request));
  const path = `${supervisorPaths.terminalOutput(terminal)}?q=${query}`;
  const { socket, rest } = await supervisors.upgrade(target, { action: "terminal", path });
  const leave = (): void => void socket.destroy();
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) leave();
  const reader = new OutputReader();
  try {
    if (rest.length > 0) socket.unshift(rest);
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      yield* reader.push(chunk);
      if (reader.ended) return;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", leave);
    socket.destroy();
  }
}

/** Frames of a stranger: each is checked. */
class OutputReader {
  ended = false;
  #position: OutputPosition = { offset: 0, end: 0 };
  #pieces: TerminalOutput[] = [];
  readonly #decoder = new FrameDecoder((type, payload) => this.#take(type, payload));

  push(chunk: Buffer): TerminalOutput[] {
    this.#pieces = [];
    this.#decoder.push(chunk);
    return this.#pieces;
  }

  #take(type: number, payload: Uint8Array): void {
    switch (type) {
      case FrameType.position:
        this.#position = OutputPosition.parse(JSON.parse(new TextDecoder().decode(payload)));
        break;
      case FrameType.stdout: {
        const { offset, end } = this.#position;
        // The frame's bytes are the chunk's, which nobody writes to again.
        const data = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
        this.#pieces.push({ offset, end, data });
        this.#position = { offset: offset + data.length, end };
        break;
      }
      case FrameType.exit:
        this.ended = true;
        break;
      default:
        throw new RangeError(`unknown frame ${type}`);
    }
  }
}
