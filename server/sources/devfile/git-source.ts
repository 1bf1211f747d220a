import { known } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import { didYouMean } from "../near-names.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import { wrongRemote, wrongRemoteName } from "./git-remote.ts";
import type { Named } from "./model.ts";

interface Remote {
  /** Null: it has a mistake, which was reported. */
  readonly url: Fact<string> | null;
}

/** What is checked out of a `git` source. */
export interface GitCheckout {
  readonly url: Fact<string>;
  readonly revision: Fact<string | null>;
  /** The name of the remote that is checked out. */
  readonly remote: string;
  /** The remotes that are not, in the order of the file. */
  readonly others: readonly { readonly name: string; readonly url: Fact<string> }[];
}

/**
 * Reads the remotes of a `git` source, and which of them is checked out at what revision (devfile/api,
 * `ValidateProjects`). Null, and reported, where that is open.
 *
 * @param several Whether there may be more remotes than one.
 */
export function readCheckout(
  git: MapCursor,
  { several, self }: { several: "allowed" | "refused"; self: MapCursor },
): GitCheckout | null {
  const remotesAt = git.get("remotes");
  const remotes = remotesAt === null ? null : readRemotes(remotesAt);
  const from = git.get("checkoutFrom")?.map() ?? null;
  const remoteAt = from?.get("remote") ?? null;
  const remoteName = remoteAt?.string() ?? null;
  const revision = readRevision(from, self);
  if (remotesAt === null || remotes === null || (remoteAt !== null && remoteName === null)) {
    return null;
  }
  if (several === "refused" && remotes.size > 1) {
    remotesAt.error("several-remotes", "Only one remote may stand here: remove the others.");
    return null;
  }
  const wanted = chooseRemote(remotes, {
    wanted:
      remoteAt === null || remoteName === null || remoteName === ""
        ? null
        : { text: remoteName, at: remoteAt },
    absentAt: from?.self ?? remotesAt,
  });
  const chosen = wanted === null ? undefined : remotes.get(wanted);
  if (wanted === null || chosen === undefined || chosen.url === null) return null;
  const others = Array.from(remotes).flatMap(([name, { url }]) =>
    name === wanted || url === null ? [] : [{ name, url }],
  );
  return { url: chosen.url, revision, remote: wanted, others };
}

/** Null, and reported, where not all names are known. */
function readRemotes(at: Cursor): Map<string, Remote> | null {
  const map = at.map();
  if (map === null) return null;
  const remotes = new Map<string, Remote>();
  let complete = true;
  for (const { key: keyAt, value: urlAt } of map.entries) {
    const name = keyAt.string();
    const url = urlAt.string();
    const wrong = url === null ? null : wrongRemote(url);
    if (wrong !== null) urlAt.error("bad-url", wrong);
    if (name === null) complete = false;
    else if (remotes.has(name)) {
      keyAt.error("duplicate-key", `The remote ${quote(name)} stands here twice: remove one.`);
    } else {
      const wrongName = wrongRemoteName(name, remotes.keys());
      if (wrongName !== null) keyAt.error("bad-remote-name", wrongName);
      remotes.set(name, { url: url !== null && wrong === null ? urlAt.fact(url) : null });
    }
  }
  if (map.entries.length === 0) {
    at.error("no-remote", "A project needs a remote: add one, such as `origin: https://…`.");
  }
  return complete ? remotes : null;
}

/** The name of the remote to check out; null, and reported, where it is open. */
function chooseRemote(
  remotes: ReadonlyMap<string, Remote>,
  { wanted, absentAt }: { wanted: Named | null; absentAt: Cursor },
): string | null {
  if (wanted === null) {
    const [only, second] = remotes.keys();
    if (second === undefined) return only ?? null;
    absentAt.error(
      "no-checkout-remote",
      "Of several remotes one is checked out: say which with `checkoutFrom: {remote: …}`.",
    );
    return null;
  }
  if (remotes.has(wanted.text)) return wanted.text;
  const advice = didYouMean(wanted.text, remotes.keys()) || ": name one of this project's.";
  if (remotes.size > 0) {
    wanted.at.error("unknown-remote", `No remote is named ${quote(wanted.text)}${advice}`);
  }
  return null;
}

/** A branch, a tag or a commit; null where there is none, or a wrong one, which was reported. */
function readRevision(from: MapCursor | null, self: MapCursor): Fact<string | null> {
  const at = from?.get("revision") ?? null;
  const text = at?.string() ?? null;
  if (at === null || text === null || text === "") return known(null, (at ?? from ?? self).where);
  // git-check-ref-format(1); a dash in front would be an option.
  if (text.length > 500 || /^-|[\s\p{Cc}~^:?*[\\]|\.\.|@\{/u.test(text)) {
    at.error("bad-revision", `${quote(text)} is no branch, tag or commit: check it.`);
  }
  return at.fact(text);
}
