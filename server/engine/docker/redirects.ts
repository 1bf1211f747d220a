import type { PlannedService } from "../../protocol/service.ts";
import { isSupervisorPort } from "../../protocol/supervisor.ts";

/** A port at which the names of a pod are called, and the one at which its program listens. */
export interface Redirect {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  readonly targetPort: number;
}

export interface Redirects {
  readonly redirects: readonly Redirect[];
  /** For people: what names of production ask for and the pod does not get. */
  readonly leftOut: readonly string[];
}

/**
 * What the names of a pod's services make of ports. All its names lead to one address: of two that
 * make different things of one port, the first has its way, and a port that leads to itself stays.
 * Oneloop's own ports are neither moved nor shown under another number.
 */
export function redirectsOf(services: readonly PlannedService[]): Redirects {
  const taken = new Map<string, Redirect>();
  const leftOut = new Set<string>();
  for (const { mirror } of services) {
    for (const { name, ports } of mirror?.names ?? []) {
      for (const one of ports) {
        const { port, targetPort, protocol } = one;
        const key = `${protocol} ${port}`;
        const before = taken.get(key);
        const what = `Port ${port} of ${name} does not lead to ${targetPort}`;
        if (isSupervisorPort(port) || isSupervisorPort(targetPort)) {
          if (port !== targetPort) leftOut.add(`${what}: one of them is Oneloop's own.`);
        } else if (before === undefined) {
          taken.set(key, { protocol, port, targetPort });
        } else if (before.targetPort !== targetPort) {
          leftOut.add(`${what}: another name of the same service leads to ${before.targetPort}.`);
        }
      }
    }
  }
  return {
    redirects: Array.from(taken.values()).filter(({ port, targetPort }) => port !== targetPort),
    leftOut: [...leftOut],
  };
}
