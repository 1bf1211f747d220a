import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { clean } from "../../server/protocol/text.ts";
import type { Api } from "./api.ts";
import { askLine, canAsk } from "./ask.ts";
import { readConfig, writeConfig } from "./config-file.ts";
import type { Session } from "./session.ts";

/**
 * Asks once on this machine, at a terminal, for the name and address that git puts into commits:
 * without them the first commit in a workspace would fail. A profile that has them is left alone.
 */
export async function askForProfile(
  api: Api,
  { url, folder }: Pick<Session, "url" | "folder">,
): Promise<void> {
  if (!canAsk()) return;
  const config = await readConfig(folder);
  if (config.askedProfile?.includes(url) === true) return;
  const { commitName, commitEmail } = await api.profile.get.query();
  if (commitName === null) {
    process.stderr.write("Who makes your commits? Enter takes what is in brackets.\n");
    const name = await askWithDefault("Name", await ownGit("user.name"));
    const email = commitEmail ?? (await askWithDefault("E-mail", await ownGit("user.email")));
    if (name !== "" || email !== "") {
      await api.profile.update.mutate({
        ...(name === "" ? {} : { commitName: name }),
        ...(email === "" ? {} : { commitEmail: email }),
      });
    }
    process.stderr.write("`loop profile` changes it.\n");
  }
  // Read again: a sign-in may have been stored meanwhile.
  const now = await readConfig(folder);
  await writeConfig(folder, { ...now, askedProfile: [...(now.askedProfile ?? []), url] });
}

async function askWithDefault(what: string, standard: string): Promise<string> {
  const answer = await askLine(`${what}${standard === "" ? "" : ` [${clean(standard)}]`}: `);
  return answer === "" ? standard : answer;
}

/** What git knows on this machine; empty where it is not there or knows nothing. */
async function ownGit(name: string): Promise<string> {
  try {
    // Not in the current folder: a repository of somebody else's may say anything.
    const { stdout } = await promisify(execFile)("git", ["config", "--global", "--get", name]);
    return stdout.trim();
  } catch {
    return "";
  }
}
