import { readFile, readlink } from "node:fs/promises";
import { constants } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import type Docker from "dockerode";
import { unless } from "./client.ts";

const defaultStopSignal = "SIGTERM";

/**
 * A program whose handler is gone after one signal either winds itself down, or has sent itself the
 * signal once more and lost it, as Node does without a handler of the program's own. The first is
 * over within this.
 */
const windDownMs = 200;

/** For how long a program that has only just begun, or never sleeps, is looked at; and how often. */
const lookMs = 2000;
const lookAgainMs = 20;

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
  const t = runs && (await isDeaf(pid, stopSignalOf(found), signal)) ? 0 : graceSeconds;
  await unless([304, 404], container.stop({ t, abortSignal: signal }));
}

/**
 * As `stopContainer`, for somebody who waits for it: it is looked at once more after the signal, as
 * the kernel may not show the next one to its first process.
 *
 * @returns whether it had to be killed.
 */
export async function endSoon(
  container: Docker.Container,
  found: Docker.ContainerInspectInfo,
  { graceMs, signal }: { graceMs: number; signal: AbortSignal },
): Promise<boolean> {
  const { Running: runs, Pid: pid } = found.State;
  if (!runs) return false;
  const stopSignal = stopSignalOf(found);
  const ended = unless([404], container.wait({ abortSignal: signal }));
  ended.catch(() => undefined);
  const send = (name: string): Promise<unknown> =>
    unless([404, 409], container.kill({ signal: name, abortSignal: signal }));
  const endsWithin = async (ms: number): Promise<boolean> => {
    const given = new AbortController();
    const until = AbortSignal.any([signal, given.signal]);
    try {
      return await Promise.race([ended.then(() => true), delay(ms, false, { signal: until })]);
    } finally {
      given.abort();
    }
  };
  if (graceMs > 0 && !(await isDeaf(pid, stopSignal, signal))) {
    await send(stopSignal);
    const firstMs = Math.min(windDownMs, graceMs);
    if (await endsWithin(firstMs)) return false;
    const isDeafNow = await isDeaf(pid, stopSignal, signal);
    if (!isDeafNow && (await endsWithin(graceMs - firstMs))) return false;
  }
  await send("SIGKILL");
  await ended;
  return true;
}

function stopSignalOf({ Config }: Docker.ContainerInspectInfo): string {
  // Not in the types.
  return (Config as { readonly StopSignal?: string }).StopSignal ?? defaultStopSignal;
}

/** By name, with or without SIG, or by number; 0 for what is neither. */
function numberOf(stopSignal: string): number {
  const name = stopSignal.toUpperCase().replace(/^(?:SIG)?/, "SIG");
  return (constants.signals as Partial<Record<string, number>>)[name] ?? (Number(stopSignal) || 0);
}

/**
 * Whether the kernel drops this signal for a process. It is looked at until that is seen, as a signal
 * that is sent too early is lost, and all of the grace is waited for after it. False where it cannot
 * be seen: on an engine elsewhere, or of a process that does not sleep.
 */
async function isDeaf(pid: number, stopSignal: string, cancelled: AbortSignal): Promise<boolean> {
  const signal = numberOf(stopSignal);
  if (signal === 0) return false;
  for (let left = lookMs; left > 0; left -= lookAgainMs) {
    const seen = await hearingOf(pid, signal);
    if (seen !== "unsettled") return seen === "deaf";
    await delay(lookAgainMs, undefined, { signal: cancelled });
  }
  return false;
}

/**
 * A process is deaf to a signal where it is number 1 of its namespace, has no handler (proc(5), NSpid
 * and SigCgt), and does not take it by sigtimedwait(2), as init programs such as tini do, or by
 * signalfd(2). Those block it; but while they are within sigtimedwait SigBlk has it not, and only what
 * they sleep in says so. Nothing of that is settled while it is awake, or still the container's
 * runtime, which hears everything, and has not made way for the program.
 */
async function hearingOf(pid: number, signal: number): Promise<"hears" | "deaf" | "unsettled"> {
  let status: string;
  let sleepsIn: string;
  try {
    status = await readFile(`/proc/${pid}/status`, "latin1");
    // Refused to whom the next would show nothing.
    await readlink(`/proc/${pid}/exe`);
    sleepsIn = await readFile(`/proc/${pid}/wchan`, "latin1");
  } catch {
    return "hears";
  }
  const has = (line: string): boolean => {
    const mask = new RegExp(`^${line}:\\t([0-9a-f]+)$`, "m").exec(status)?.[1];
    return mask === undefined || (BigInt(`0x${mask}`) & (1n << BigInt(signal - 1))) !== 0n;
  };
  if (!/^NSpid:(?:\t\d+)*\t1$/m.test(status)) return "hears";
  if (/^Name:\trunc:\[/m.test(status)) return "unsettled";
  if (has("SigCgt") || has("SigBlk") || sleepsIn.includes("sigtimedwait")) return "hears";
  return sleepsIn === "" || sleepsIn === "0" ? "unsettled" : "deaf";
}
