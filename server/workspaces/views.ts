import type { WorkspaceRow } from "../db/workspaces.ts";
import type { Observed } from "../engine/engine.ts";
import { formatPlace } from "../protocol/fact.ts";
import type { WorkspaceDetail, WorkspaceEvent, WorkspaceSummary } from "../protocol/workspace.ts";
import { portOrigin } from "../ports/hostname.ts";

/** How this installation is reached from outside. */
export interface PublicAddress {
  /** The web app, without a trailing slash, such as `http://app.localhost:7700`. */
  readonly publicUrl: string;
  readonly domain: string;
  readonly sshHost: string;
  readonly sshPort: number;
}

/** @param observed null where the engine was not asked: nothing of the workspace runs. */
export function summarize(
  row: WorkspaceRow,
  observed: Observed | null,
  address: PublicAddress,
): WorkspaceSummary {
  const branch = row.ref?.startsWith("refs/heads/") === true ? row.ref.slice(11) : null;
  return {
    id: row.id,
    name: row.name,
    state: row.state,
    error: row.errorCode === null ? null : { code: row.errorCode, message: row.errorMessage ?? "" },
    url: `${address.publicUrl}/workspaces/${row.name}`,
    repository: row.repository,
    branch,
    commit: row.commit,
    createdAt: row.createdAt.toISOString(),
    ssh: { host: address.sshHost, port: address.sshPort, user: row.name },
    ports: row.plan.services.flatMap((service) =>
      service.endpoints
        .filter((endpoint) => endpoint.exposure !== "none" && endpoint.protocol !== "udp")
        .map((endpoint) => ({
          port: endpoint.targetPort,
          protocol: endpoint.protocol,
          visibility: "private" as const,
          url: portUrl(row.name, endpoint, address),
          process: null,
          name: endpoint.name,
        })),
    ),
    services: row.plan.services.map((service) => {
      const member = observed?.members.find((one) => one.service === service.name);
      return {
        name: service.name,
        state: member?.state ?? "missing",
        health: null,
        image: service.image,
        ports: service.endpoints.map((endpoint) => endpoint.targetPort),
      };
    }),
  };
}

export function detail(
  row: WorkspaceRow,
  observed: Observed | null,
  more: { address: PublicAddress; events: WorkspaceEvent[] },
): WorkspaceDetail {
  return {
    ...summarize(row, observed, more.address),
    events: more.events,
    leftOut: row.plan.leftOut.map(({ what, why, where }) => ({
      what,
      why,
      where: formatPlace(where),
    })),
  };
}

function portUrl(
  workspace: string,
  endpoint: { targetPort: number; path: string | null },
  address: PublicAddress,
): string {
  const portHost = { port: endpoint.targetPort, service: null, workspace };
  const origin = portOrigin(portHost, new URL(address.publicUrl), address.domain);
  const path = endpoint.path ?? "/";
  return `${origin}${path.startsWith("/") ? path : `/${path}`}`;
}
