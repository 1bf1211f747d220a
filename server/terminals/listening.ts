import type { Socket } from "node:net";
import { ListenMessage } from "../protocol/supervisor.ts";
import { lines } from "./lines.ts";

/** A path of a unix socket, each of its characters escaped in JSON, with room for the rest. */
const maxLineBytes = 1024;

/** A place inside a workspace that is listened at until this is disposed, or its stream breaks. */
export interface Connections extends Disposable {
  /** The ids of connections, as they come; each can be taken once. Throws when the stream breaks. */
  readonly connections: AsyncIterable<string>;
}

/** At a unix socket. */
export interface Listening extends Connections {
  /** As the workspace sees it. */
  readonly path: string;
}

/** At a port of the workspace's loopback. */
export interface ListeningTcp extends Connections {
  readonly port: number;
}

interface ListenStream {
  readonly socket: Socket;
  readonly rest: Buffer;
}

/**
 * Reads a listen stream's beginning. What it says is a stranger's word.
 *
 * @throws Error when it does not say in time where it listens.
 */
export function readListening(stream: ListenStream, timeoutMs: number): Promise<Listening> {
  return read(stream, timeoutMs, (message) =>
    message.type === "listening" ? { path: message.path } : null,
  );
}

/** The same, of a stream that listens at a port. */
export function readListeningTcp(stream: ListenStream, timeoutMs: number): Promise<ListeningTcp> {
  return read(stream, timeoutMs, (message) =>
    message.type === "listening-tcp" ? { port: message.port } : null,
  );
}

async function read<Place extends object>(
  { socket, rest }: ListenStream,
  timeoutMs: number,
  placeOf: (first: ListenMessage) => Place | null,
): Promise<Place & Connections> {
  if (rest.length > 0) socket.unshift(rest);
  const messages = readMessages(socket);
  const timer = setTimeout(() => socket.destroy(new Error("no answer in time")), timeoutMs);
  try {
    const first = await messages.next();
    const place = first.done === true ? null : placeOf(first.value);
    if (place === null) throw new Error("the listen stream does not say where it listens");
    return {
      ...place,
      connections: ids(messages),
      [Symbol.dispose]: () => void socket.destroy(),
    };
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function* readMessages(socket: Socket): AsyncGenerator<ListenMessage> {
  for await (const line of lines(socket, maxLineBytes)) {
    yield ListenMessage.parse(JSON.parse(line));
  }
}

async function* ids(messages: AsyncIterable<ListenMessage>): AsyncGenerator<string> {
  for await (const message of messages) {
    if (message.type === "connection") yield message.id;
  }
}
