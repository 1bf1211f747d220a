import type { RemoteCredential } from "../repo/git-runner.ts";

/**
 * $1 the origin that the credential is for, then git's arguments. The credential waits on
 * descriptor 9, where only git's own helper reads it, once: it is in no argument and no
 * environment. The setting is bound to the origin, so that a redirect elsewhere gets nothing.
 */
const overHttp = `
origin=$1; shift
exec 9<&0 </dev/null
exec git -c credential.helper= -c "credential.$origin.helper=!cat <&9; :" "$@"
`;

/**
 * Git's arguments. An agent holds the key while git runs; git's ssh takes no other key. Where the
 * shell is killed, the agent sees that, and ends 10 s later at most (ssh-agent.c).
 */
const overSsh = `
exec ssh-agent sh -c '
trap "ssh-agent -k >/dev/null" EXIT
ssh-add -q - || exit 1
git "$@" </dev/null
' git "$@"
`;

/**
 * How git runs with a credential: what to start, and what it gets on standard input.
 *
 * @param args after `git`.
 */
export function credentialedGit(
  args: readonly string[],
  credential: RemoteCredential,
): { argv: string[]; stdin: string } {
  const { url, username, password } = credential;
  if (/^https?:/.test(url)) {
    const { origin } = new URL(url);
    return {
      argv: ["sh", "-c", overHttp, "git", origin, ...args],
      stdin: `username=${username}\npassword=${password}\n`,
    };
  }
  const key = password.replaceAll(/\r\n?/g, "\n").trimEnd();
  return { argv: ["sh", "-c", overSsh, "git", ...args], stdin: `${key}\n` };
}
