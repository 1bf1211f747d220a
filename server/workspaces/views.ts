import type { ServiceStatus } from "../db/workspace-services.ts";
import type { PortSetting, WorkspaceRow } from "../db/workspaces.ts";
import type { Observed } from "../engine/observed.ts";
import { formatPlace } from "../protocol/fact.ts";
import type { Endpoint } from "../protocol/service.ts";
import type {
  WorkspaceDetail,
  WorkspaceEvent,
  WorkspacePort,
  WorkspaceServiceView,
  WorkspaceSummary,
} from "../protocol/workspace.ts";
import { isMirrored } from "./mirror/mirrored.ts";
import { portOrigin, type PortHost } from "../ports/hostname.ts";

/** How this installation is reached from outside. */
export interface PublicAddress {
  /** The web app, without a trailing slash, such as `http://app.localhost:7700`. */
  readonly publicUrl: string;
  readonly domain: string;
  readonly sshHost: string;
  readonly sshPort: number;
}

/** What a view needs beside the row. */
export interface ViewParts {
  /** Null where the engine was not asked (`hasServicesToAskFor`), or did not answer. */
  readonly observed: Observed | null;
  readonly visibility: readonly PortSetting[];
  /** Of production's services, as they were written down last. */
  readonly statuses: readonly ServiceStatus[];
  readonly address: PublicAddress;
}

/**
 * Whether only the engine knows the state of a service: the dev service's is the workspace's, and
 * production's are written down.
 */
export function hasServicesToAskFor({ plan, state }: WorkspaceRow): boolean {
  const { devService, services } = plan;
  return (
    state === "running" &&
    services.some(({ name }) => name !== devService && !isMirrored(plan, name))
  );
}

export function summarize(row: WorkspaceRow, more: ViewParts): WorkspaceSummary {
  const { address } = more;
  const branch = row.ref?.startsWith("refs/heads/") === true ? row.ref.slice(11) : null;
  return {
    id: row.id,
    name: row.name,
    state: row.state,
    error: row.errorCode === null ? null : { code: row.errorCode, message: row.errorMessage ?? "" },
    url: `${address.publicUrl}/workspaces/${row.name}`,
    repository: row.repository,
    branch,
    ref: row.ref,
    commit: row.commit,
    behind: row.behind,
    work: row.work,
    createdAt: row.createdAt.toISOString(),
    lastUsedAt: row.lastUsedAt.toISOString(),
    ssh: { host: address.sshHost, port: address.sshPort, user: row.name },
    ports: portsOf(row, more),
    services: servicesOf(row, more),
  };
}

function servicesOf(
  { plan, state }: WorkspaceRow,
  { observed, ...more }: ViewParts,
): WorkspaceServiceView[] {
  const runs = state === "running";
  const members = new Map((observed?.members ?? []).map((one) => [one.service, one]));
  const statuses = new Map(more.statuses.map((one) => [one.service, one]));
  const built = new Set((plan.builds ?? []).map(({ image }) => image));
  return plan.services.map((service) => {
    const { name, image, endpoints } = service;
    const mirrored = isMirrored(plan, name);
    const status = mirrored ? (statuses.get(name) ?? null) : null;
    const whereItRuns = name === plan.devService ? "running" : mirrored ? "waiting" : "unknown";
    const unsaid = runs && (mirrored || observed === null) ? whereItRuns : "missing";
    return {
      name,
      state: status?.state ?? (mirrored ? null : members.get(name)?.state) ?? unsaid,
      health: status?.health ?? null,
      image,
      ports: endpoints.map((endpoint) => endpoint.targetPort),
      mirrored,
      built: mirrored && built.has(image),
      restarts: status?.restarts ?? 0,
      reason: status?.reason ?? null,
      since: status?.since.toISOString() ?? null,
    };
  });
}

export function detail(
  row: WorkspaceRow,
  more: ViewParts & { readonly events: WorkspaceEvent[] },
): WorkspaceDetail {
  return {
    ...summarize(row, more),
    events: more.events,
    leftOut: row.plan.leftOut.map(({ what, why, where }) => ({
      what,
      why,
      where: formatPlace(where),
    })),
  };
}

/**
 * The ports that the plan names, in its order, then what else listens. Services of the devfile share
 * one network, in which a number is of one program only; one with a pod of its own stands alone.
 */
function portsOf(row: WorkspaceRow, { visibility, address }: ViewParts): WorkspacePort[] {
  const listening = new Map(row.ports.map((detected) => [detected.port, detected]));
  const view = (
    port: { readonly port: number; readonly service: string | null },
    endpoint: Pick<Endpoint, "name" | "protocol" | "path"> | null,
  ): WorkspacePort => {
    const detected = port.service === null ? listening.get(port.port) : undefined;
    const set = visibility.find(
      (one) => one.port === port.port && one.service === (port.service ?? ""),
    );
    return {
      ...port,
      protocol: endpoint?.protocol ?? "http",
      visibility: set?.visibility ?? "private",
      url: portUrl({ ...port, workspace: row.name }, endpoint?.path ?? "/", address),
      listening: detected !== undefined,
      process: detected?.process ?? null,
      name: endpoint?.name ?? null,
    };
  };
  const named = row.plan.services.flatMap((service) =>
    service.endpoints
      .filter(({ exposure, protocol }) => exposure !== "none" && protocol !== "udp")
      .map((endpoint) => {
        const alone = service.dedicatedPod ? service.name : null;
        return view({ port: endpoint.targetPort, service: alone }, endpoint);
      }),
  );
  const shown = new Set(named.flatMap(({ port, service }) => (service === null ? [port] : [])));
  const others = row.ports
    .filter(({ port }) => !shown.has(port))
    .map(({ port }) => view({ port, service: null }, null));
  return [...named, ...others];
}

function portUrl(portHost: PortHost, path: string, address: PublicAddress): string {
  const origin = portOrigin(portHost, new URL(address.publicUrl), address.domain);
  return `${origin}${path.startsWith("/") ? path : `/${path}`}`;
}
