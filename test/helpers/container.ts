import { PassThrough } from "node:stream";
import type Dockerode from "dockerode";

/** A started container whose output is being read. */
export interface RunningContainer extends AsyncDisposable {
  readonly container: Dockerode.Container;
  readonly inspect: Dockerode.ContainerInspectInfo;
  /** Milliseconds from the request to start until the first line of output. */
  readonly readyMs: number;
  readonly firstLine: string;
}

/**
 * Creates and starts a container and resolves at its first line of standard output.
 *
 * @throws Error with what it printed, when it ends before it has printed a line.
 */
export async function startContainer(
  docker: Dockerode,
  options: Dockerode.ContainerCreateOptions,
): Promise<RunningContainer> {
  const container = await docker.createContainer(options);
  const remove = async (): Promise<void> => {
    await container.remove({ force: true, v: true });
  };
  try {
    const output = await container.attach({ stream: true, stdout: true, stderr: true });
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    docker.modem.demuxStream(output, stdout, stderr);
    let printed = "";
    let errors = "";
    stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    const firstLineCame = new Promise<void>((resolve, reject) => {
      stdout.on("data", (chunk: Buffer) => {
        if (!printed.includes("\n")) printed += chunk.toString();
        if (printed.includes("\n")) resolve();
      });
      stdout.on("end", () =>
        reject(new Error(`it ended before it was ready: ${printed}${errors}`)),
      );
    });
    // Docker's stream of both outputs ends, and the two that were cut from it must be ended.
    output.on("end", () => stdout.end());
    const startedAt = performance.now();
    await Promise.all([container.start(), firstLineCame]);
    const readyMs = performance.now() - startedAt;
    const firstLine = printed.slice(0, printed.indexOf("\n"));
    const inspect = await container.inspect();
    return { container, inspect, readyMs, firstLine, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
