import { constants } from "node:os";
import type { ObservedMember } from "../../engine/observed.ts";

/** What a shell and the engine add to a signal's number for the status of what it ended. */
const signalBase = 128;

export function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** How a service's program ended, as a sentence. */
export function endSentence(member: ObservedMember | undefined): string {
  if (member === undefined) return "Its container was removed from outside.";
  const { exitCode, outOfMemory, runs } = member;
  const number = (exitCode ?? 0) - signalBase;
  const signal = Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
  if (outOfMemory) {
    const limit = runs.memoryLimitBytes;
    const of = limit === null ? "" : ` of ${Math.round(limit / 1024 ** 2)} MiB`;
    return signal === "SIGKILL"
      ? `It reached production's memory limit${of} and was ended.`
      : `It ended with status ${exitCode ?? "unknown"}, after a program of it had reached production's memory limit${of}.`;
  }
  if (signal !== undefined) return `It was ended by ${signal}.`;
  return `It ended with status ${exitCode ?? "unknown"}.`;
}

export function pauseWords(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}
