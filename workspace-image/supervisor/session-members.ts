import { readdirSync, readFileSync, readlinkSync } from "node:fs";

interface Member {
  readonly pid: number;
  readonly group: number;
}

/** The process groups of a session, the leader's first: a shell's jobs have groups of their own. */
export function groupsOf(session: number): Set<number> {
  return new Set([session, ...membersOf(session).map(({ group }) => group)]);
}

/** What stands behind a process's standard input, output and error, where that is a socket or pipe. */
export function standardStreams(pid: number): Set<string> {
  const streams = [0, 1, 2].flatMap((fd) => targetOf(`/proc/${pid}/fd/${fd}`) ?? []);
  return new Set(streams.filter((target) => /^(socket|pipe):/.test(target)));
}

/** The leader of a session, and those of its processes that have one of these streams as standard. */
export function holdersOf(session: number, streams: ReadonlySet<string>): Set<number> {
  const holders = membersOf(session).filter(({ pid }) =>
    [...standardStreams(pid)].some((stream) => streams.has(stream)),
  );
  return new Set([session, ...holders.map(({ pid }) => pid)]);
}

function membersOf(session: number): Member[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      try {
        // proc_pid_stat(5): after the parenthesised name come state, ppid, pgrp, session.
        const stat = readFileSync(`/proc/${entry}/stat`, "latin1");
        const [, , group, ofSession] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        return Number(ofSession) === session ? [{ pid: Number(entry), group: Number(group) }] : [];
      } catch {
        // It ended between the two looks.
        return [];
      }
    });
}

function targetOf(link: string): string | null {
  try {
    return readlinkSync(link);
  } catch {
    // Closed; or the process ended, or is another user's now.
    return null;
  }
}
