import type { Command } from "commander";
import { createRun } from "../action.ts";
import { readConfig } from "../config-file.ts";

/** Who has pressed Tab does not wait longer. */
const patienceMs = 2000;

/** Says nothing and signs nobody in: a key press must not do either. */
export function defineWorkspaceNames(command: Command): void {
  command.action(async () => {
    const { output, session } = createRun(false);
    const late = setTimeout(() => process.exit(0), patienceMs);
    try {
      const opened = await session();
      const { logins } = await readConfig(opened.folder);
      if (logins[opened.url] === undefined) return;
      const workspaces = await opened.run((api) => api.workspaces.list.query());
      output.lines(workspaces.map(({ name }) => name));
    } catch {
      // A script reads this, in the middle of a line that somebody types.
    } finally {
      clearTimeout(late);
    }
  });
}
