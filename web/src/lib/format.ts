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

/** The time between two ISO 8601 times, such as `+0.4 s`. */
export function since(start: string, at: string): string {
  const seconds = Math.max(0, (Date.parse(at) - Date.parse(start)) / 1000);
  return seconds < 100 ? `+${seconds.toFixed(1)} s` : `+${Math.round(seconds / 60)} min`;
}

export function sshCommand(ssh: { host: string; port: number; user: string }): string {
  const port = ssh.port === 22 ? "" : `-p ${ssh.port} `;
  return `ssh ${port}${ssh.user}@${ssh.host}`;
}

const longestTitle = 80;

/**
 * A title that a program in a workspace chose: a stranger's word. Control characters, and those
 * that reorder or hide text, are taken out.
 */
export function cleanTitle(title: string): string {
  return title
    .replaceAll(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu, "")
    .trim()
    .slice(0, longestTitle);
}
