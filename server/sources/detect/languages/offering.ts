import type { OfferedCommand, Reason, SetUpCommand } from "../finding.ts";
import type { Project } from "../tree.ts";

/** The install of what a lock file names; nothing without it. */
export function locked(project: Project, lock: string, line: string): SetUpCommand[] {
  const file = project.first([lock]);
  if (file === null) return [];
  const reason = { at: file.place(), why: "it says which packages the project needs" };
  return [{ id: "install-dependencies", line, once: "workspace", reason }];
}

/** A command that is called as what it is for. */
export function offer(
  group: OfferedCommand["group"],
  line: string,
  reason: Reason,
): OfferedCommand {
  return { id: group, group, line, reason };
}
