import type { IncomingMessage, ServerResponse } from "node:http";
import { PassThrough } from "node:stream";
import type { Dispatcher, Pool } from "undici";
import { responseHeaders, type RawHeaders } from "./headers.ts";

const noBytes = Buffer.alloc(0);

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly pool: Pool;
  /** The request's headers as the workspace gets them. */
  readonly headers: RawHeaders;
  /** No answer came, and none has been given to the browser yet. */
  readonly onFailure: (error: Error) => void;
}

/** Sends one request on and its answer back, streaming, with the back pressure of both sides. */
export function forwardRequest(exchange: Exchange): void {
  const { request } = exchange;
  const length = request.headers["content-length"];
  const hasBody =
    request.headers["transfer-encoding"] !== undefined || (length !== undefined && length !== "0");
  // Not the request itself: undici destroys a body that it does not need, and with it would go the
  // connection on which the browser waits for our answer.
  const body = hasBody ? request.pipe(new PassThrough()) : null;
  dispatch(exchange, body, !hasBody && ["GET", "HEAD"].includes(request.method ?? ""));
}

/**
 * @param mayRepeat the connection may have been one that the program was just closing (RFC 9110
 * section 9.2.2): a request that changes nothing is sent once more.
 */
function dispatch(exchange: Exchange, body: PassThrough | null, mayRepeat: boolean): void {
  const { request, response, pool, headers, onFailure } = exchange;
  const answer = new Answer(response, (error) => {
    if (mayRepeat && !response.destroyed && isClosedConnection(error)) {
      dispatch(exchange, body, false);
    } else onFailure(error);
  });
  pool.dispatch(
    {
      path: request.url ?? "/",
      method: request.method ?? "GET",
      headers,
      body,
    },
    answer,
  );
}

class Answer implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse;
  readonly #onFailure: (error: Error) => void;
  #controller: Dispatcher.DispatchController | null = null;
  #settled = false;

  constructor(response: ServerResponse, onFailure: (error: Error) => void) {
    this.#response = response;
    this.#onFailure = onFailure;
    response.on("close", () => {
      if (!this.#settled) this.#controller?.abort(new Error("the browser went away"));
    });
    response.on("drain", () => this.#controller?.resume());
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#response.destroyed) controller.abort(new Error("the browser went away"));
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    // Interim answers are for the hop that asked.
    if (status < 200) return;
    const response = this.#response;
    const raw = (controller.rawHeaders ?? []) as Buffer[];
    const headers = responseHeaders(raw.map((part) => part.toString("latin1")));
    response.writeHead(status, headers);
    // The head goes out at once (server-sent events may be silent for long), but in one packet with
    // the first bytes of the body where they came together. An empty write does it: `flushHeaders`
    // would send the head as UTF-8, and `response.cork` puts the last chunk before the first.
    const { socket } = response;
    socket?.cork();
    response.write(noBytes);
    process.nextTick(() => socket?.uncork());
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#response.write(chunk)) controller.pause();
  }

  onResponseEnd(
    _controller: Dispatcher.DispatchController,
    trailers: NodeJS.Dict<string | string[]>,
  ): void {
    this.#settled = true;
    const fields = Object.entries(trailers).flatMap(([name, value]) =>
      [value ?? []].flat().map((one): [string, string] => [name, one]),
    );
    if (fields.length > 0) this.#response.addTrailers(fields);
    this.#response.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#settled = true;
    if (this.#response.destroyed) return;
    // Half an answer: only a cut connection says so.
    if (this.#response.headersSent) this.#response.destroy();
    else this.#onFailure(error);
  }
}

function isClosedConnection(error: Error): boolean {
  const code = "code" in error ? error.code : undefined;
  return code === "UND_ERR_SOCKET" || code === "ECONNRESET" || code === "EPIPE";
}
