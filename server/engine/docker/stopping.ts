import { readFile } from "node:fs/promises";
import { constants } from "node:os";
import type Docker from "dockerode";
import { unless } from "./client.ts";

const defaultStopSignal = "SIGTERM";

/**
 * Ends a container by its stop signal, and by KILL after `graceSeconds`. Its first process gets KILL
 * at once where the kernel would not even show it the signal: a process with number 1 gets only
 * those that it has a handler for or waits for itself, and most that were not made for it have neither.
 * One that is not there, or has ended, is no error.
 */
export async function stopContainer(
  container: Docker.Container,
  { graceSeconds, signal }: { graceSeconds: number; signal: AbortSignal },
): Promise<void> {
  const found = await unless([404], container.inspect({ abortSignal: signal }));
  if (found === null) return;
  const { Running: runs, Pid: pid } = found.State;
  // Not in the types.
  const { StopSignal = defaultStopSignal } = found.Config as { readonly StopSignal?: string };
  const wanted = numberOf(StopSignal);
  const t = runs && (await neverGets(pid, wanted)) ? 0 : graceSeconds;
  await unless([304, 404], container.stop({ t, abortSignal: signal }));
}

/** By name, with or without SIG, or by number; 0 for what is neither. */
function numberOf(stopSignal: string): number {
  const name = stopSignal.toUpperCase().replace(/^(?:SIG)?/, "SIG");
  return (constants.signals as Partial<Record<string, number>>)[name] ?? (Number(stopSignal) || 0);
}

/**
 * Whether the kernel drops this signal for a process: it is number 1 of its namespace, has no handler
 * (proc(5), NSpid and SigCgt), and does not take it by sigtimedwait(2), as init programs such as tini
 * do, or by signalfd(2). Those block it; but while they are within sigtimedwait SigBlk has it not,
 * and only what they sleep in says so. False where any of that cannot be seen, as on an engine
 * elsewhere or of a process that does not sleep just now.
 */
async function neverGets(pid: number, signal: number): Promise<boolean> {
  if (signal === 0) return false;
  let status: string;
  let sleepsIn: string;
  try {
    status = await readFile(`/proc/${pid}/status`, "latin1");
    sleepsIn = await readFile(`/proc/${pid}/wchan`, "latin1");
  } catch {
    return false;
  }
  const has = (line: string): boolean => {
    const mask = new RegExp(`^${line}:\\t([0-9a-f]+)$`, "m").exec(status)?.[1];
    return mask === undefined || (BigInt(`0x${mask}`) & (1n << BigInt(signal - 1))) !== 0n;
  };
  const isFirst = /^NSpid:(?:\t\d+)*\t1$/m.test(status);
  if (!isFirst || has("SigCgt") || has("SigBlk")) return false;
  return sleepsIn !== "" && sleepsIn !== "0" && !sleepsIn.includes("sigtimedwait");
}
