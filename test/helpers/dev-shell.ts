import { once } from "node:events";
import type { Duplex } from "node:stream";
import type Docker from "dockerode";

/**
 * A shell that stays open in a container: an editor's save there costs no start of a process, so that
 * what is measured begins with the save.
 */
export class DevShell implements Disposable {
  readonly #stream: Duplex;
  #said = "";
  #asked = 0;

  private constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on("data", (piece: Buffer) => (this.#said += piece.toString("utf8")));
  }

  static async open(container: Docker.Container): Promise<DevShell> {
    const exec = await container.exec({
      Cmd: ["/.oneloop/bin/sh"],
      User: "1000",
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
    });
    return new DevShell(await exec.start({ hijack: true, stdin: true }));
  }

  /** Resolves when the commands have ended. */
  async run(script: string): Promise<void> {
    this.#asked += 1;
    const end = `done-${this.#asked}-$?`;
    this.#stream.write(`${script}\necho "${end}"\n`);
    const mark = `done-${this.#asked}-`;
    while (!this.#said.includes(mark)) await once(this.#stream, "data");
    const status = this.#said.slice(this.#said.indexOf(mark) + mark.length).split("\n")[0];
    if (status?.trim() !== "0") throw new Error(`${script} ended with ${status}: ${this.#said}`);
  }

  [Symbol.dispose](): void {
    this.#stream.destroy();
  }
}
