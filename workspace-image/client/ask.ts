import { connect } from "node:net";
import { maxControlLineBytes, type WorkspaceAsk } from "../../server/protocol/control.ts";
import { supervisorMount } from "../../server/protocol/supervisor.ts";
import { Failure } from "./failure.ts";
import { fieldsOf, textOf } from "./text.ts";

const defaultSocket = `${supervisorMount}/run/oneloop.sock`;

/** The supervisor answers within 30 s, with an error if need be. */
const answerTimeoutMs = 40_000;

/** The connection ended in the middle: what was asked may have been done. */
export const cutOff = "cancelled";

/**
 * Asks the control plane through the supervisor.
 *
 * @throws Failure with its words, or with words for why there is no answer.
 */
export async function ask(question: WorkspaceAsk, env: NodeJS.ProcessEnv): Promise<unknown> {
  const path = env["ONELOOP_SOCKET"] || defaultSocket;
  const line = await exchange(path, `${JSON.stringify(question)}\n`);
  let reply: Readonly<Record<string, unknown>>;
  try {
    reply = fieldsOf(JSON.parse(line));
  } catch {
    throw new Failure("internal", `What answers at ${path} is not Oneloop.`);
  }
  if (reply["ok"] === true) return reply["result"];
  const { code, message } = fieldsOf(reply["error"]);
  throw new Failure(textOf(code) ?? "internal", textOf(message) ?? "Oneloop gave no reason.");
}

function exchange(path: string, question: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const socket = connect({ path });
    socket.setTimeout(answerTimeoutMs, () => socket.destroy());
    socket.on("connect", () => socket.write(question));
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > maxControlLineBytes) socket.destroy();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => reject(noSocket(path, error)));
    socket.on("close", () => {
      const text = Buffer.concat(chunks).toString("utf8");
      if (text.endsWith("\n")) resolve(text);
      else reject(new Failure(cutOff, "Oneloop gave no answer. Try again in a moment."));
    });
  });
}

function noSocket(path: string, { code, message }: NodeJS.ErrnoException): Failure {
  if (["ENOENT", "ENOTDIR", "ECONNREFUSED"].includes(code ?? "")) {
    return new Failure(
      "workspace-not-running",
      `Nothing listens at ${path}. This command works in a terminal of a Oneloop workspace.`,
    );
  }
  if (code === "EACCES" || code === "EPERM") {
    return new Failure(
      "forbidden",
      `You are not the workspace's user here, so ${path} is closed to you. ` +
        "Run this command as the user whom a new terminal has.",
    );
  }
  return new Failure(cutOff, `Oneloop gave no answer (${message}). Try again in a moment.`);
}
