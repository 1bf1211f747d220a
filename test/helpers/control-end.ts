import type { Socket } from "node:net";
import {
  ControlMessage,
  type ControlAnswer,
  type DetectedPort,
  type WorkspaceAsk,
} from "../../server/protocol/control.ts";
import type { ErrorCode } from "../../server/protocol/errors.ts";

type Ask = Extract<ControlMessage, { type: "ask" }>;

/** The control plane's end of a control stream, held by a test: all that came, checked. */
export class ControlEnd implements Disposable {
  readonly socket: Socket;
  readonly messages: ControlMessage[] = [];
  /** Resolves when the stream has closed. */
  readonly closed: Promise<void>;
  /** How it answers each ask from now on; null: it does not. */
  onAsk: ((ask: WorkspaceAsk) => unknown) | null = null;
  #text = "";
  #waiting: (() => void)[] = [];

  constructor(socket: Socket, rest: Buffer) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on("close", () => resolve());
    });
    socket.on("error", () => undefined);
    socket.on("end", () => socket.end());
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => this.#push(text));
    this.#push(rest.toString());
    socket.resume();
  }

  /** Looks again at each message; gives what `find` finds. */
  until<Found>(find: () => Found | undefined): Promise<Found> {
    return new Promise((resolve) => {
      const look = (): void => {
        const found = find();
        if (found === undefined) return;
        this.#waiting = this.#waiting.filter((each) => each !== look);
        resolve(found);
      };
      this.#waiting.push(look);
      look();
    });
  }

  /** The newest list of ports. */
  get ports(): DetectedPort[] | undefined {
    return this.of("ports").at(-1)?.ports;
  }

  of<Type extends ControlMessage["type"]>(type: Type): Extract<ControlMessage, { type: Type }>[] {
    return this.messages.filter(
      (message): message is Extract<ControlMessage, { type: Type }> => message.type === type,
    );
  }

  untilPort(port: number): Promise<DetectedPort> {
    return this.until(() => this.ports?.find((each) => each.port === port));
  }

  untilNoPort(port: number): Promise<true> {
    return this.until(() =>
      this.ports?.some((each) => each.port === port) === false ? true : undefined,
    );
  }

  /** The ask of this number, from 0. */
  ask(index = 0): Promise<Ask> {
    return this.until(() => this.of("ask")[index]);
  }

  answer(id: string, result: unknown): void {
    this.#say({ type: "answer", id, ok: true, result });
  }

  refuse(id: string, code: ErrorCode, message: string): void {
    this.#say({ type: "answer", id, ok: false, error: { code, message, diagnostics: [] } });
  }

  write(text: string): void {
    this.socket.write(text);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #say(answer: ControlAnswer): void {
    this.write(`${JSON.stringify(answer)}\n`);
  }

  #push(text: string): void {
    const lines = (this.#text + text).split("\n");
    this.#text = lines.pop() ?? "";
    for (const line of lines) {
      const message = ControlMessage.parse(JSON.parse(line));
      this.messages.push(message);
      if (message.type === "ask" && this.onAsk !== null) {
        this.answer(message.id, this.onAsk(message.ask));
      }
    }
    for (const look of this.#waiting) look();
  }
}
