import type { Socket } from "node:net";
import { ListenMessage } from "../protocol/supervisor.ts";
import { lines } from "./lines.ts";

/** A path of a unix socket, each of its characters escaped in JSON, with room for the rest. */
const maxLineBytes = 1024;

/** A socket inside a workspace that is listened at until this is disposed, or its stream breaks. */
export interface Listening extends Disposable {
  /** As the workspace sees it. */
  readonly path: string;
  /** The ids of connections, as they come; each can be taken once. Throws when the stream breaks. */
  readonly connections: AsyncIterable<string>;
}

/**
 * Reads a listen stream's beginning. What it says is a stranger's word.
 *
 * @throws Error when it does not say in time where it listens.
 */
export async function readListening(
  { socket, rest }: { readonly socket: Socket; readonly rest: Buffer },
  timeoutMs: number,
): Promise<Listening> {
  if (rest.length > 0) socket.unshift(rest);
  const messages = readMessages(socket);
  const timer = setTimeout(() => socket.destroy(new Error("no answer in time")), timeoutMs);
  try {
    const first = await messages.next();
    if (first.done === true || first.value.type !== "listening") {
      throw new Error("the listen stream does not say where it listens");
    }
    return {
      path: first.value.path,
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
