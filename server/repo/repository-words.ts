import { OneloopError } from "../protocol/errors.ts";
import type { GitResult } from "./git-runner.ts";
import type { Remote } from "./repositories.ts";

/** The remote did not answer, or not as git does. */
export function unreachable(remote: Remote, result: GitResult): OneloopError {
  // Parts of it are the server's own words: they must not steer anybody's terminal.
  const last = telling(result.stderr);
  const reason = last.replaceAll(/\p{C}/gu, "?").slice(0, 300);
  return new OneloopError(
    "repository-unreachable",
    `${remote.url} cannot be read: ${reason === "" ? "no answer in time" : reason}. ${advice(remote, reason)}`,
    { cause: new Error(result.stderr) },
  );
}

/** The last line, or over ssh the one before git's general words on what may be wrong. */
function telling(stderr: string): string {
  const lines = stderr.trim().split(/\r?\n/);
  const general = lines.findIndex((line) => /could not read from remote repository/i.test(line));
  return lines[general > 0 ? general - 1 : lines.length - 1] ?? "";
}

function advice(remote: Remote, reason: string): string {
  if (/^Error loading key/i.test(reason)) {
    return "Your stored credential for its host is no private key for ssh: store one, or open the repository's https URL.";
  }
  if (/certificate/i.test(reason)) {
    return "Where a company's own authority vouches for it, the operator sets ONELOOP_CA_FILE to that authority's certificate.";
  }
  if (
    /could not read (username|password)|authentication failed|permission denied|denied/i.test(
      reason,
    )
  ) {
    const named =
      /^[a-z]+:\/\/(?:[^@/]*@)?([^/]+)/.exec(remote.url)?.[1] ?? /@([^:]+):/.exec(remote.url)?.[1];
    const inTheClear = remote.url.startsWith("http://") && !/:\d+$/.test(named ?? "");
    const host = inTheClear ? `${named}:80` : named;
    return remote.credential === undefined || remote.credential === null
      ? `If it is private, store your credential for its host: \`loop credentials set ${host ?? "HOST"}\`, or Settings in the web.`
      : "Your stored credential for its host does not open it: store another one.";
  }
  return "Check the address, and that it is open to you.";
}

/** The remote answered, and did not give this commit. */
export function notGiven(commit: string): OneloopError {
  return new OneloopError(
    "ref-not-found",
    `The repository gives no commit ${commit}: it has none, or it is not open to you.`,
  );
}

/** Git failed over what it has here. */
export function cacheFailed(result: GitResult): OneloopError {
  return new OneloopError(
    "internal",
    "The repository cache failed. The control plane's log has the cause.",
    { cause: new Error(result.stderr) },
  );
}
