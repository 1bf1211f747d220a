import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { checkedOut, shortRepository } from "./format.ts";

/** The workspaces that have every word somewhere in what tells them apart; upper case is lower. */
export function matching(
  workspaces: readonly WorkspaceSummary[],
  words: string,
): readonly WorkspaceSummary[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return workspaces.filter((workspace) => {
    const { name, repository, state } = workspace;
    const text = [name, shortRepository(repository), checkedOut(workspace).label, state]
      .join("\n")
      .toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
}
