import { isSupervisorPort, lastSupervisorPort, supervisorPort } from "../../protocol/supervisor.ts";
import type { Redirect } from "./redirects.ts";

export interface AllowedTarget {
  /** An IPv4 address or a range such as `10.1.0.0/16`. */
  readonly destination: string;
  readonly port: number;
}

export interface RuleFacts {
  /** The workspace's own network, such as `10.213.0.16/28`. */
  readonly subnet: string;
  /** The host's address on that network. */
  readonly gateway: string;
  /** IPv4 addresses of the machine's name servers: the engine's own resolver asks them from inside. */
  readonly resolvers: readonly string[];
  /** IPv4 addresses that the host itself carries. */
  readonly hostAddresses: readonly string[];
  readonly allowed: readonly AllowedTarget[];
  readonly redirects?: readonly Redirect[];
}

export interface Rules {
  /** Text for `iptables-restore`. */
  readonly v4: string;
  /** Text for `ip6tables-restore`. */
  readonly v6: string;
}

/**
 * Not the internet: RFC 6890's registry, without the documentation ranges that nobody routes; and
 * Azure's metadata service, which has a public address
 * (https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16).
 */
const refusedRanges = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "168.63.129.16/32",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "224.0.0.0/4",
  "240.0.0.0/4",
] as const;

/** Of the dev service's supervisor, and of those that enter other services. */
const supervisorPorts = `${supervisorPort}:${lastSupervisorPort}`;

/**
 * What `ONELOOP_ISOLATION=off` sets: nothing but what production's names ask for, so that it starts
 * where the kernel has no filter to set.
 */
export function openRules(facts: Pick<RuleFacts, "subnet" | "redirects">): Rules {
  return { v4: redirectTable(facts), v6: "" };
}

/**
 * The rules of a sandbox's network namespace. They hold for every member, which can neither see nor
 * flush them. A refusal is an answer (RST, or ICMP "prohibited"), so nobody waits for a time-out.
 *
 * The order carries the meaning: what is allowed by name comes before the ranges that are refused.
 */
export function sandboxRules(facts: RuleFacts): Rules {
  const { subnet, gateway } = facts;
  const filter = table([
    // Also packets to an own address of the namespace pass over lo: the supervisors' ports are for
    // the host alone.
    ...reject("INPUT -i lo", `tcp --dport ${supervisorPorts}`),
    "-A INPUT -i lo -j ACCEPT",
    "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
    `-A INPUT -s ${gateway}/32 -p tcp --dport ${supervisorPorts} -j ACCEPT`,
    ...reject("INPUT", `tcp --dport ${supervisorPorts}`),
    // The control plane needs no other port: every user of the host would come in here, past the
    // port proxy's question who they are.
    ...refuse("INPUT", `-s ${gateway}/32`),
    `-A INPUT -s ${subnet} -j ACCEPT`,

    "-A OUTPUT -o lo -j ACCEPT",
    "-A OUTPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
    ...facts.resolvers.flatMap((resolver) => accept({ destination: resolver, port: 53 })),
    ...facts.allowed.flatMap(accept),
    ...refuse("OUTPUT", `-d ${gateway}/32`),
    `-A OUTPUT -d ${subnet} -j ACCEPT`,
    ...refusedRanges.flatMap((range) => refuse("OUTPUT", `-d ${range}`)),
    ...publicAddresses(facts.hostAddresses).flatMap((address) =>
      refuse("OUTPUT", `-d ${address}/32`),
    ),
    "-A OUTPUT -j ACCEPT",
  ]);
  return {
    // The filter first: it holds before anything is redirected, and sees what comes out of it.
    v4: filter + redirectTable(facts),
    // No IPv6 beyond the loopback until it has the same rules.
    v6: table([
      ...reject("INPUT -i lo", `tcp --dport ${supervisorPorts}`),
      "-A INPUT -i lo -j ACCEPT",
      "-A OUTPUT -o lo -j ACCEPT",
    ]),
  };
}

/**
 * Ports under which production's names are called and where nobody listens: from neighbours, and from
 * the pod itself by its own address (which goes over lo; the loopback's addresses stay as they are).
 * Only the port changes, so that DNAT is enough, which the engine's own resolver needs anyway. The
 * chains have rules of the engine's: they are not declared, as that would set them anew.
 */
function redirectTable({
  subnet,
  redirects = [],
}: Pick<RuleFacts, "subnet" | "redirects">): string {
  const lines = redirects.flatMap(({ protocol, port, targetPort }) => {
    if (isSupervisorPort(port) || isSupervisorPort(targetPort)) {
      throw new Error(`a port of the supervisor cannot be redirected: ${port} to ${targetPort}`);
    }
    const to = `-p ${protocol} --dport ${port} -j DNAT --to-destination :${targetPort}`;
    return [`-A PREROUTING -s ${subnet} ${to}`, `-A OUTPUT -o lo -d ${subnet} ${to}`];
  });
  return lines.length === 0 ? "" : `${["*nat", ...lines, "COMMIT"].join("\n")}\n`;
}

function table(lines: readonly string[]): string {
  const policies = ["INPUT", "FORWARD", "OUTPUT"].map((chain) => `:${chain} DROP [0:0]`);
  return `${["*filter", ...policies, ...lines, "COMMIT"].join("\n")}\n`;
}

function accept({ destination, port }: AllowedTarget): string[] {
  return ["tcp", "udp"].map(
    (protocol) => `-A OUTPUT -d ${destination} -p ${protocol} --dport ${port} -j ACCEPT`,
  );
}

function refuse(chain: "INPUT" | "OUTPUT", match: string): string[] {
  return [
    ...reject(`${chain} ${match}`, "tcp"),
    `-A ${chain} ${match} -j REJECT --reject-with icmp-admin-prohibited`,
  ];
}

function reject(match: string, protocol: string): string[] {
  return [`-A ${match} -p ${protocol} -j REJECT --reject-with tcp-reset`];
}

/**
 * Those that no refused range covers yet. The others (each workspace's gateway is one) come and go
 * with workspaces and would change the rules, and with them the sandbox, at each start.
 */
function publicAddresses(addresses: readonly string[]): string[] {
  const outside = addresses.filter(
    (address) => !refusedRanges.some((range) => inRange(address, range)),
  );
  return [...new Set(outside)].sort();
}

function inRange(address: string, range: string): boolean {
  const [base = "", bits = "32"] = range.split("/");
  const shift = 32 - Number(bits);
  return Math.floor(toNumber(address) / 2 ** shift) === Math.floor(toNumber(base) / 2 ** shift);
}

/** An IPv4 address as an unsigned 32-bit number. */
export function toNumber(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** The IPv4 address of an unsigned 32-bit number. */
export function toAddress(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");
}
