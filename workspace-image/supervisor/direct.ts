import { spawn } from "node:child_process";
import type { Socket } from "node:net";
import type { Program } from "./environment.ts";
import type { Processes } from "./processes.ts";

/**
 * Starts a program whose standard input and output are the connection itself: no byte of it passes
 * here, and no process is woken for it. The connection ends with the program; what it says on
 * standard error goes nowhere.
 *
 * @param onEnd called once, when it has ended or could not be started.
 */
export function runDirect(
  program: Program,
  { socket, processes, onEnd }: { socket: Socket; processes: Processes; onEnd: () => void },
): void {
  const child = spawn(program.file, program.args, {
    argv0: program.argv0,
    cwd: program.cwd,
    env: program.env,
    detached: true,
    stdio: [socket, socket, "ignore"],
  });
  const running = child.pid === undefined ? null : processes.add(child.pid);
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    running?.exited();
    onEnd();
  };
  child.on("exit", end);
  child.on("error", end);
  // Our own end of it only: the program has another.
  socket.destroy();
}
