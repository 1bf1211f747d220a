/** A line of passwd(5). */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
}

/** The text of an image's two files; empty where the image has none. */
export interface AccountFiles {
  readonly passwd: string;
  readonly group: string;
}

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  readonly name: string | null;
  readonly home: string | null;
  readonly shell: string | null;
}

/** Where HOME is nothing that a user could own. */
export const fallbackHome = "/home/oneloop";

/**
 * The user that an image's or a plan's `USER` names, as the engine itself would resolve it: a name
 * or a uid, with a group after a colon; root where it is empty. `null` for a name without an entry
 * (the engine refuses to start it then).
 */
export function resolveUser(user: string, files: AccountFiles): ResolvedUser | null {
  const [who = "", group = ""] = user.split(":");
  const accounts = parsePasswd(files.passwd);
  const wanted = who === "" ? "0" : who;
  const account = accounts.find(({ name, uid }) => name === wanted || String(uid) === wanted);
  if (account === undefined && !/^\d+$/.test(wanted)) return null;
  const gid = group === "" ? (account?.gid ?? 0) : gidOf(group, files.group);
  if (gid === null) return null;
  return {
    uid: account?.uid ?? Number(wanted),
    gid,
    name: account?.name ?? null,
    home: account?.home ?? null,
    shell: account === undefined || account.shell === "" ? null : account.shell,
  };
}

/** `/home/oneloop` where neither the environment nor passwd has an absolute one but `/`. */
export function homeOf(environmentHome: string | undefined, user: ResolvedUser): string {
  for (const home of [environmentHome, user.home]) {
    if (home !== undefined && home !== null && home.startsWith("/") && !/^\/+$/.test(home))
      return home;
  }
  return fallbackHome;
}

function parsePasswd(text: string): Account[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , uid = "", gid = "", , home = "", shell = ""] = line.split(":");
    if (name === "" || !/^\d+$/.test(uid) || !/^\d+$/.test(gid)) return [];
    return [{ name, uid: Number(uid), gid: Number(gid), home, shell }];
  });
}

function gidOf(group: string, text: string): number | null {
  for (const line of text.split("\n")) {
    const [name, , gid = ""] = line.split(":");
    if (name === group && /^\d+$/.test(gid)) return Number(gid);
  }
  return /^\d+$/.test(group) ? Number(group) : null;
}
