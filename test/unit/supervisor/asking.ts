import { connect } from "node:net";
import { text } from "node:stream/consumers";

/** Writes at a workspace's unix socket, and gives all that is answered, as text. */
export async function writeAt(path: string, line: string): Promise<string> {
  const socket = connect({ path, allowHalfOpen: true });
  socket.write(line);
  return text(socket);
}

/** Asks as a program inside the workspace does. */
export async function askAt(path: string, ask: unknown): Promise<unknown> {
  return JSON.parse(await writeAt(path, `${JSON.stringify(ask)}\n`));
}
