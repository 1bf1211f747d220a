import type { Command } from "commander";
import { createRun } from "../action.ts";
import { readConfig } from "../config-file.ts";
import type { WorkspaceSummary } from "../wire.ts";

/** Who has pressed Tab does not wait longer. */
const patienceMs = 2000;

/** The workspace, and each of its containers where there are several. */
function placesOf({ name, services }: Pick<WorkspaceSummary, "name" | "services">): string[] {
  if (services.length < 2) return [name];
  return [name, ...services.map((service) => `${name}.${service.name}`)];
}

/** Says nothing and signs nobody in: a key press must not do either. */
export function defineWorkspaceNames(command: Command): void {
  command.option("--services", "and the names of their services behind a dot");
  command.action(async ({ services = false }: { services?: boolean }) => {
    const { output, session } = createRun(false);
    const late = setTimeout(() => process.exit(0), patienceMs);
    try {
      const opened = await session();
      const { logins } = await readConfig(opened.folder);
      if (logins[opened.url] === undefined) return;
      const workspaces = await opened.run((api) => api.workspaces.list.query());
      output.lines(services ? workspaces.flatMap(placesOf) : workspaces.map(({ name }) => name));
    } catch {
      // A script reads this, in the middle of a line that somebody types.
    } finally {
      clearTimeout(late);
    }
  });
}
