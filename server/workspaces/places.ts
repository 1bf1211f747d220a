import type { WorkspaceRow } from "../db/workspaces.ts";
import type { Owner } from "../engine/steps.ts";
import { OneloopError } from "../protocol/errors.ts";
import { ownerOf } from "./reconciler.ts";

/** A container of a workspace in which somebody works. */
export interface Place {
  readonly owner: Owner;
  /** Null: the dev service's. */
  readonly service: string | null;
}

/**
 * `<workspace>` or `<workspace>.<service>`, as SSH's user names and addresses have it: neither name
 * has a dot in it (workspaceName, and the names of services, which are DNS labels).
 */
export function parseLogin(login: string): { workspace: string; service: string | null } {
  const dot = login.indexOf(".");
  if (dot < 0) return { workspace: login, service: null };
  return { workspace: login.slice(0, dot), service: login.slice(dot + 1) };
}

/** @throws OneloopError `not-found`, which names the services that there are. */
export function placeIn(row: WorkspaceRow, service: string | null): Place {
  const owner = ownerOf(row);
  const { services, devService } = row.plan;
  if (service === null || service === devService) return { owner, service: null };
  if (services.some(({ name }) => name === service)) return { owner, service };
  const names = services.map(({ name }) => name);
  throw new OneloopError(
    "not-found",
    `${row.name} has no service ${service}. It has ${listed(names)}.`,
  );
}

function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
