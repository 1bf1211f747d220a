import { constants } from "node:os";
import type { Observed, ObservedMember } from "../engine/observed.ts";
import type { WorkspacePlan } from "../protocol/plan.ts";
import type { NewEvent } from "../db/workspaces.ts";
import { isMirrored } from "./mirror/mirrored.ts";

/** What a shell and the engine add to a signal's number for the status of what it ended. */
const signalBase = 128;

/** Why a service does not run, for a sentence that begins with "The container of <service>". */
function why(member: ObservedMember | undefined): string {
  if (member === undefined) return "was removed from outside";
  const { exitCode, outOfMemory, runs } = member;
  const signal = signalOf(exitCode);
  if (outOfMemory && signal === "SIGKILL") {
    const limit = runs.memoryLimitBytes;
    return `reached its memory limit${limit === null ? "" : ` of ${mebibytes(limit)}`} and was ended`;
  }
  if (signal !== null) return `was ended by ${signal}`;
  const before = outOfMemory ? ", after a program of it had reached the memory limit" : "";
  return `ended by itself with status ${exitCode ?? "unknown"}${before}`;
}

/** Why a workspace runs no more whose dev service does not. */
export function deadDevSentence(service: string, observed: Observed): string {
  const member = observed.members.find((one) => one.service === service);
  return `The container of ${service} ${why(member)}. Start the workspace again; source and home are kept.`;
}

/** The devfile's services beside the dev service that should run and do not. */
export function deadServices(plan: WorkspacePlan, observed: Observed): string[] {
  const running = new Set(
    observed.members.filter(({ state }) => state === "running").map(({ service }) => service),
  );
  return plan.services
    .map(({ name }) => name)
    .filter((name) => name !== plan.devService && !isMirrored(plan, name) && !running.has(name));
}

/** That a service beside the dev service ended; the workspace goes on without it. */
export function deadServiceEvent(service: string, observed: Observed): NewEvent {
  const member = observed.members.find((one) => one.service === service);
  const killed = member?.outOfMemory === true && signalOf(member.exitCode) === "SIGKILL";
  return {
    level: "warning",
    code: killed ? "out-of-memory" : "container-exited",
    message: `The container of ${service} ${why(member)}. The rest goes on; \`loop start\` starts it again.`,
  };
}

/** That a program within a container that goes on was ended for memory. */
export function outOfMemoryEvent(plan: WorkspacePlan, service: string): NewEvent {
  const said = `A program of ${service} reached the memory limit and was ended.`;
  return {
    level: "warning",
    code: "out-of-memory",
    message: isMirrored(plan, service)
      ? `${said} It is production's limit: there it would end, too.`
      : `${said} Give the component a higher memoryLimit in the devfile if it needs more.`,
  };
}

/** That what runs has no network, or nothing runs at all: all is started again. */
export function lostEvent(observed: Observed): NewEvent {
  const isAlive = observed.members.some(({ state }) => state === "running");
  return {
    level: "warning",
    code: "engine-restarted",
    message: isAlive
      ? "The workspace's network was taken away from outside. It is made again."
      : "The engine lost this workspace's containers. They are started again.",
  };
}

function signalOf(exitCode: number | null): string | null {
  const number = (exitCode ?? 0) - signalBase;
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found?.[0] ?? null;
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}
