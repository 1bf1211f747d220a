import type { WorkspaceRow } from "../db/workspaces.ts";
import type { Engine } from "../engine/engine.ts";
import { OneloopError } from "../protocol/errors.ts";
import { controlPlaneActor } from "../protocol/supervisor.ts";
import type { LogUpdate } from "../protocol/workspace.ts";
import type { Supervisors } from "../terminals/supervisors.ts";
import { taskTerminals, terminalOutput } from "../terminals/terminal-output.ts";
import type { Place } from "./places.ts";

export interface LogRequest {
  /** Go on with what is printed, until the service ends. */
  readonly follow: boolean;
  /** Only the last so many lines; null: all that are kept. */
  readonly tail: number | null;
  /** A `place` of before: only what came after it; null: from the beginning. */
  readonly after: string | null;
  readonly signal: AbortSignal;
}

/** A part of a log, and the place in it that it leads to. */
export interface LogPart {
  readonly place: string;
  readonly update: LogUpdate;
}

export interface LogParts {
  readonly engine: Pick<Engine, "logs">;
  readonly supervisors: Pick<Supervisors, "json" | "upgrade">;
}

/**
 * What a service's own command prints, as a stream that goes no faster than it is read. Of a service
 * it is the engine's log; of the dev service, whose first process is the supervisor, what the task of
 * its command printed.
 *
 * @throws OneloopError `workspace-not-running`, `not-found` where nothing is kept of its command.
 */
export async function* readServiceLog(
  parts: LogParts,
  { row, place }: { readonly row: WorkspaceRow; readonly place: Place },
  request: LogRequest,
): AsyncGenerator<LogPart> {
  const { service } = place;
  if (service === null) yield* ofDev(parts, row, { place, request });
  else yield* ofService(parts, { owner: place.owner, service }, request);
}

async function* ofService(
  { engine }: LogParts,
  which: Parameters<Engine["logs"]>[0],
  request: LogRequest,
): AsyncGenerator<LogPart> {
  // A long line comes in pieces, which may cut a character.
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  for await (const entries of engine.logs(which, request)) {
    const pieces = entries.map(({ at, stream, data }) => {
      return { at, stream, text: decoders[stream].decode(data, { stream: true }) };
    });
    const last = entries.at(-1);
    if (last !== undefined) yield { place: last.at, update: { kind: "output", pieces } };
  }
}

async function* ofDev(
  { supervisors }: LogParts,
  row: WorkspaceRow,
  { place, request }: { place: Place; request: LogRequest },
): AsyncGenerator<LogPart> {
  const { devService } = row.plan;
  if (row.state !== "running") {
    throw new OneloopError(
      "workspace-not-running",
      `${row.name} is ${row.state}; what ${devService} prints is kept only while it runs.`,
    );
  }
  const target = { owner: place.owner, actor: controlPlaneActor };
  const terminal = (await taskTerminals(supervisors, target)).get(devService) ?? null;
  if (terminal === null) {
    throw new OneloopError(
      "not-found",
      `${devService} has no command of its own that printed something. Its terminals show what else runs in it.`,
    );
  }
  const { follow, tail, after, signal } = request;
  const [ofTerminal, offset] = after?.split("@") ?? [];
  // Another start is another terminal: all of it is new.
  const from = ofTerminal === terminal ? Number(offset) || 0 : 0;
  const output = terminalOutput(supervisors, { target, terminal }, { from, follow, signal });
  const decoder = new TextDecoder();
  let next = from;
  for await (const piece of tail === null ? output : lastLines(output, tail)) {
    const end = piece.offset + piece.data.length;
    const at = `${terminal}@${end}`;
    const missed = piece.offset - next;
    next = end;
    if (missed > 0 && tail === null)
      yield { place: at, update: { kind: "skipped", bytes: missed } };
    const text = decoder.decode(piece.data, { stream: true });
    const pieces = [{ at: null, stream: "stdout" as const, text }];
    yield { place: at, update: { kind: "output", pieces } };
  }
}

const newline = 10;

/** Of what was there at the beginning only the last lines; what comes later as it is. */
async function* lastLines(
  output: ReturnType<typeof terminalOutput>,
  count: number,
): ReturnType<typeof terminalOutput> {
  let kept: Buffer[] = [];
  for await (const piece of output) {
    const end = piece.offset + piece.data.length;
    if (piece.offset >= piece.end) {
      yield piece;
      continue;
    }
    kept.push(piece.data);
    if (end < piece.end) continue;
    const data = tailOf(Buffer.concat(kept), count);
    kept = [];
    yield { ...piece, offset: end - data.length, data };
  }
}

/** The last lines; a last one without its newline counts. */
function tailOf(text: Buffer, lines: number): Buffer {
  let at = text.length;
  if (text.at(-1) === newline) at -= 1;
  for (let left = lines; left > 0 && at >= 0; left -= 1) {
    at = at === 0 ? -1 : text.lastIndexOf(newline, at - 1);
  }
  return text.subarray(lines === 0 ? text.length : at + 1);
}
