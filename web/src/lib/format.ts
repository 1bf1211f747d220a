import type { WorkCounts, WorkspaceSummary } from "../../../server/protocol/workspace.ts";

/** The first seven digits, as git shows them. */
export function shortCommit(commit: string): string {
  return commit.slice(0, 7);
}

/** `https://host/owner/repo.git` as `host/owner/repo`: what tells repositories apart. */
export function shortRepository(repository: string): string {
  return repository
    .replace(/^[a-z+]+:\/\/([^@/]*@)?/, "")
    .replace(/\/$/, "")
    .replace(/\.git$/, "");
}

/** The folder of the checkout: the last part of the repository's address. */
export function repositoryFolder(repository: string): string {
  return shortRepository(repository).split(/[/:]/).at(-1) ?? "";
}

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

/** The time of day in the reader's time zone, to the second. */
export function timeOfDay(at: string): string {
  return clock.format(new Date(at));
}

const dateAndTime = new Intl.DateTimeFormat("en", {
  dateStyle: "medium",
  timeStyle: "short",
  hourCycle: "h23",
});

/** A date with its time of day, in the reader's time zone. */
export function absoluteTime(at: string): string {
  return dateAndTime.format(new Date(at));
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const steps = [
  ["minute", 60],
  ["hour", 60 * 60],
  ["day", 24 * 60 * 60],
  ["week", 7 * 24 * 60 * 60],
  ["month", 30 * 24 * 60 * 60],
  ["year", 365 * 24 * 60 * 60],
] as const;

/** An ISO 8601 time as seen from `now` (milliseconds), such as `3 hours ago`. */
export function relativeTime(at: string, now: number): string {
  const seconds = (Date.parse(at) - now) / 1000;
  const step = steps.findLast(([, size]) => Math.abs(seconds) >= size);
  if (step === undefined) return "just now";
  const [unit, size] = step;
  return relative.format(Math.trunc(seconds / size), unit);
}

/** The time between two ISO 8601 times, such as `+0.4 s`. */
export function since(start: string, at: string): string {
  return `+${duration(Date.parse(at) - Date.parse(start))}`;
}

/** Milliseconds for people: tenths of a second below 100 s, then minutes. */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms / 1000);
  return seconds < 100 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} min`;
}

/** `1 commit`, `3 commits`. */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : plural}`;
}

/** What exists only in the workspace, one phrase a kind; nothing where nothing was counted. */
export function workPhrases(work: WorkCounts | null): string[] {
  if (work === null) return [];
  const { uncommitted, unpushed, stashes } = work;
  return [
    ...(uncommitted > 0 ? [`${uncommitted} uncommitted`] : []),
    ...(unpushed > 0 ? [`${unpushed} unpushed`] : []),
    ...(stashes > 0 ? [count(stashes, "stash", "stashes")] : []),
  ];
}

/** What is checked out, in a word for people. */
export interface CheckedOut {
  readonly kind: "branch" | "tag" | "pull-request" | "commit";
  /** The branch's or tag's name, the request's number, or the short commit. */
  readonly label: string;
  /** Git calls it a detached HEAD: commits made there are on no branch. */
  readonly detached: boolean;
}

export function checkedOut({
  branch,
  ref,
  commit,
}: Pick<WorkspaceSummary, "branch" | "ref" | "commit">): CheckedOut {
  if (branch !== null) return { kind: "branch", label: branch, detached: false };
  if (ref?.startsWith("refs/tags/") === true) {
    return { kind: "tag", label: ref.slice("refs/tags/".length), detached: true };
  }
  // GitHub and Gitea: refs/pull/7/head; GitLab: refs/merge-requests/7/head; Bitbucket: …/7/from.
  const request = /^refs\/(?:pull|pull-requests|merge-requests)\/(\d+)\//.exec(ref ?? "")?.[1];
  if (request !== undefined) return { kind: "pull-request", label: `#${request}`, detached: true };
  return { kind: "commit", label: shortCommit(commit), detached: true };
}

export function sshCommand(ssh: { host: string; port: number; user: string }): string {
  const port = ssh.port === 22 ? "" : `-p ${ssh.port} `;
  return `ssh ${port}${ssh.user}@${ssh.host}`;
}
