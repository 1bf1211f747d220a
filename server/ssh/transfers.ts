/** As a shell reports a program that it did not find. */
export const notFoundStatus = 127;

/** The far end of a copy, as a client at home starts it by itself. */
interface Transfer {
  readonly line: RegExp;
  /** For who has typed the program's name at home, and does not know what is missing here. */
  readonly missing: string | null;
}

const transfers: readonly Transfer[] = [
  {
    line: /^rsync --server\b/,
    missing:
      "This workspace's image has no rsync. Install the package rsync in it " +
      "(Debian, Ubuntu: apt-get install rsync; Alpine: apk add rsync), or copy with scp or sftp.",
  },
  // scp's own protocol of before, `scp -O`; the supervisor's volume has one.
  { line: /^scp (-\S+ )*-[a-z]*[tf] /, missing: null },
];

/**
 * What to give to the login shell for a client's `exec`, and what to say when it does not find the
 * program. Commands run in the repository's folder; but editors and people take a path that they copy
 * to for one of the home folder, as it is with sshd and, here, with sftp.
 */
export function commandFor(line: string): { shell: string; advice: string | null } {
  const transfer = transfers.find((each) => each.line.test(line));
  // Every shell knows this, also those that are not of the Bourne family.
  if (transfer !== undefined) return { shell: `cd; ${line}`, advice: transfer.missing };
  return { shell: line, advice: null };
}
