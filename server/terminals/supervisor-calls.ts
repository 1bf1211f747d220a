import { request as httpRequest } from "node:http";
import type { Socket } from "node:net";
import type { SupervisorAddress } from "../engine/steps.ts";
import { OneloopError } from "../protocol/errors.ts";
import { connectForRelay } from "../util/relayed-socket.ts";
import { spliceHighWaterMarkBytes } from "../util/splice.ts";

/** A supervisor on the same machine answers in milliseconds; this is a broken one. */
export const answerTimeoutMs = 10_000;
const maxBodyBytes = 1024 * 1024;

export function unreachable(cause: unknown): OneloopError {
  return new OneloopError(
    "supervisor-unreachable",
    "The workspace does not answer. If this lasts, stop and start it.",
    { cause },
  );
}

/** @throws OneloopError `supervisor-unreachable` where the text is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw unreachable(error);
  }
}

/** 401 means that the boot changed under us; everything else is the supervisor's own answer. */
export function refusal(status: number, body: string): OneloopError {
  let message = `the workspace's supervisor answered ${status}`;
  try {
    const parsed: unknown = JSON.parse(body);
    if (parsed !== null && typeof parsed === "object" && "message" in parsed) {
      message = String(parsed.message).slice(0, 300);
    }
  } catch {
    // Not JSON: the status has to do.
  }
  if (status === 401) return unreachable(new Error(message));
  return new OneloopError(status === 404 ? "not-found" : "conflict", message);
}

/** A connection whose errors end it; half-close is preserved. */
export function open(address: SupervisorAddress, readBytes?: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // A variable, because Node's types lack the last option, which it passes on to the stream.
    const options = {
      host: address.host,
      port: address.port,
      noDelay: true,
      allowHalfOpen: true,
      highWaterMark: spliceHighWaterMarkBytes,
    };
    const socket = connectForRelay(options, readBytes);
    const timer = setTimeout(
      () => socket.destroy(new Error("no connection in time")),
      answerTimeoutMs,
    );
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.removeAllListeners("error");
      // The owner of the stream adds its own; without one, an error ends the stream quietly.
      socket.on("error", () => socket.destroy());
      resolve(socket);
    });
    socket.once("error", (error) => {
      clearTimeout(timer);
      reject(unreachable(error));
    });
  });
}

/** One request over a connection of its own; the whole answer has a deadline and a size. */
export function requestJson(
  address: SupervisorAddress,
  call: { method: string; path: string; headers: Record<string, string>; body?: string },
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        ...address,
        method: call.method,
        path: call.path,
        agent: false,
        headers: {
          host: "supervisor",
          ...call.headers,
          ...(call.body === undefined
            ? {}
            : {
                "content-type": "application/json",
                "content-length": Buffer.byteLength(call.body),
              }),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size > maxBodyBytes) request.destroy(new Error("the answer is too long"));
          else chunks.push(chunk);
        });
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            body: Buffer.concat(chunks).toString("utf8"),
          }),
        );
        response.on("error", (error) => reject(unreachable(error)));
      },
    );
    // For the whole answer: one that trickles is none.
    const deadline = setTimeout(
      () => request.destroy(new Error("no answer in time")),
      answerTimeoutMs,
    );
    request.on("close", () => clearTimeout(deadline));
    request.on("error", (error) => reject(unreachable(error)));
    request.end(call.body);
  });
}
