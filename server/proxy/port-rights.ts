import type { Accounts } from "../auth/accounts.ts";
import type { PortSetting, WorkspaceRow, WorkspaceStore } from "../db/workspaces.ts";
import { serviceLabel, type PortHost } from "../ports/hostname.ts";
import type { PortVisibility } from "../protocol/workspace.ts";
import type { Authorize } from "./access.ts";

/** The actor of a request to a public port by somebody who is not signed in. */
const anybody = "anybody";

/**
 * The rule of ports: a private one is its workspace's owner's, a `signed-in` one everybody's who is
 * signed in, a public one everybody's. Whoever may not see a port learns nothing of it: not even
 * whether there is such a workspace.
 */
export function portRights(parts: {
  readonly accounts: Pick<Accounts, "byTokenId">;
  readonly store: Pick<WorkspaceStore, "byName" | "portSettings">;
}): Authorize {
  const { accounts, store } = parts;
  return async (session, host) => {
    const [person, row] = await Promise.all([
      session === null ? null : accounts.byTokenId(session.tokenId),
      store.byName(host.workspace),
    ]);
    const workspaceId = row?.id ?? null;
    const refused = { kind: person === null ? "sign-in" : "nothing", workspaceId } as const;
    if (row === null) return refused;
    const place = placeOf(row, host);
    if (place === null) return refused;
    const visibility = visibilityOf(await store.portSettings(row.id), place);
    if (!maySee(visibility, { isOwner: person?.id === row.ownerId, signedIn: person !== null })) {
      return refused;
    }
    return {
      kind: "reach",
      workspaceId,
      target: { owner: { kind: "workspace", id: row.id }, actor: person?.id ?? anybody },
      host: place.service === "" ? "localhost" : place.service,
      signedIn: person !== null,
    };
  };
}

/** `service` empty: the dev container's network, as in `port_settings`. */
interface Place {
  readonly service: string;
  readonly port: number;
}

/** Null for a service that the plan does not have. */
function placeOf(row: WorkspaceRow, { service, port }: PortHost): Place | null {
  if (service === null) return { service: "", port };
  const found = row.plan.services.find(({ name }) => serviceLabel(name) === service);
  return found === undefined ? null : { service: found.name, port };
}

function visibilityOf(settings: readonly PortSetting[], { service, port }: Place): PortVisibility {
  const set = settings.find((one) => one.port === port && one.service === service);
  return set?.visibility ?? "private";
}

function maySee(
  visibility: PortVisibility,
  { isOwner, signedIn }: { isOwner: boolean; signedIn: boolean },
): boolean {
  switch (visibility) {
    case "private":
      return isOwner;
    case "signed-in":
      return signedIn;
    case "public":
      return true;
    default:
      return visibility satisfies never;
  }
}
