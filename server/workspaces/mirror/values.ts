import type { UserSettings } from "../../auth/user-settings.ts";
import type { WorkspaceRow } from "../../db/workspaces.ts";
import { fillParts, makeSecret, type Values } from "../../plan/mirror/fill.ts";
import { repositoryLabel } from "../repository-label.ts";

/** The values that a workspace's plan is filled with: its owner's variables, and made secrets. */
export async function valuesOf(
  { settings, secretKey }: { settings: Pick<UserSettings, "variablesFor">; secretKey: string },
  row: Pick<WorkspaceRow, "id" | "ownerId" | "repository">,
): Promise<Values> {
  const variables = await settings.variablesFor(row.ownerId, repositoryLabel(row.repository));
  return { variables, made: makeSecret(secretKey, row.id) };
}

/** What the dev service gets of production's environment that is put together at the start. */
export function devEnvironment(
  { plan }: Pick<WorkspaceRow, "plan">,
  values: Values,
): Record<string, string> {
  const dev = plan.services.find(({ name }) => name === plan.devService);
  const entries = Object.entries(dev?.mirror?.composedEnv ?? {}).flatMap(([name, parts]) => {
    const value = fillParts(parts, values);
    return value === null ? [] : [[name, value] as const];
  });
  return Object.fromEntries(entries);
}
