import { known, unknown } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { Endpoint } from "../../protocol/service.ts";
import { quote } from "../yaml/source-text.ts";
import { portKeys } from "./keys.ts";
import { textOf, whyUnset } from "./part.ts";
import type { Part } from "./part.ts";
import { portRange, splitPort } from "./port-text.ts";
import { Section } from "./section.ts";
import { anyText, word } from "./values.ts";

/** A range in one line: who publishes more has a reason that an endpoint each does not serve. */
const maxRange = 256;

/** A port of the machine that a service takes. */
export interface Published {
  readonly ip: string;
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  readonly part: Part;
}

interface Ports {
  readonly endpoints: Fact<Endpoint>[];
  readonly published: Published[];
}

const transports = word({ tcp: "tcp", udp: "udp" } as const);
const applications = word({
  http: "http",
  https: "https",
  ws: "ws",
  wss: "wss",
  tcp: "tcp",
  http2: "http",
  grpc: "http",
} as const);

interface Port {
  readonly part: Part;
  readonly ip: string;
  readonly published: string;
  readonly target: string;
  readonly transport: "tcp" | "udp";
  readonly name: string | null;
  readonly application: Endpoint["protocol"] | null;
}

/** `ports` and `expose`. What is published on every address is public; the rest is the network's. */
export function readPorts(service: Section): Ports {
  const ports: Ports = { endpoints: [], published: [] };
  const seen = new Set<string>();
  for (const item of service.items("ports")) {
    const port = readPort(service, item);
    if (port === null) continue;
    if ("known" in port) ports.endpoints.push(port);
    else add(ports, { port, service, seen });
  }
  for (const item of service.items("expose")) {
    const text = textOf(item);
    const why = item.kind === "scalar" ? whyUnset(item) : null;
    if (text === null) continue;
    const split = why === null ? splitPort(text) : null;
    const transport = split === null ? null : transports.parse(split.protocol);
    if (why !== null) ports.endpoints.push(unknown(why, item.mark.where));
    else if (split === null || transport === null || split.published !== "") badPort(item, text);
    else {
      const rest = { transport, name: null, application: null, ip: "none", part: item };
      add(ports, { port: { ...rest, published: "", target: split.target }, service, seen });
    }
  }
  return ports;
}

function badPort(part: Part, text: string): null {
  const message = `${quote(text)} is no port: write one such as 3000 or "8080:80".`;
  part.mark.error("bad-port", message);
  return null;
}

function readPort(service: Section, item: Part): Port | Fact<Endpoint> | null {
  if (item.kind !== "map") {
    const text = textOf(item);
    if (text === null) return null;
    const split = splitPort(text);
    if (split === null) {
      const why = item.kind === "scalar" ? whyUnset(item) : null;
      return why === null ? badPort(item, text) : unknown(why, item.mark.where);
    }
    const transport = transports.parse(split.protocol);
    if (transport === null) return badPort(item, text);
    return { ...split, part: item, transport, name: null, application: null };
  }
  const section = new Section(item, `port of ${service.of}`, service.leftOut).check(portKeys);
  const target = section.get("target");
  if (target === null) {
    item.mark.error("missing-key", "The key `target` is missing: name the port of the service.");
    return null;
  }
  const why = target.kind === "scalar" ? whyUnset(target) : null;
  if (why !== null) return unknown(why, target.mark.where);
  const published = section.value("published", anyText) ?? "";
  return {
    part: item,
    ip: section.value("host_ip", anyText) ?? "",
    published,
    target: textOf(target) ?? "",
    transport: section.value("protocol", transports) ?? "tcp",
    name: section.value("name", anyText),
    application: section.value("app_protocol", applications),
  };
}

function add(
  { endpoints, published }: Ports,
  { port, service, seen }: { port: Port; service: Section; seen: Set<string> },
): void {
  const { part, ip, transport } = port;
  const targets = portRange(port.target);
  const hosts = port.published === "" ? null : portRange(port.published);
  if (targets === null || (port.published !== "" && hosts === null)) {
    badPort(part, targets === null ? port.target : port.published);
    return;
  }
  const length = targets.last - targets.first + 1;
  if (length > maxRange) {
    service.listAt(part.mark, `ports of ${service.of}`, `More than ${maxRange} in one range.`);
    return;
  }
  if (hosts !== null && hosts.last - hosts.first + 1 < length) {
    part.mark.error("bad-port", "The published range is shorter than the service's: mend one.");
    return;
  }
  for (let at = 0; at < length; at += 1) {
    const targetPort = targets.first + at;
    // A longer published range for one port: any free one of it.
    const isFixed = hosts !== null && hosts.last - hosts.first + 1 === length;
    if (isFixed) published.push({ ip, protocol: transport, port: hosts.first + at, part });
    const key = `${targetPort}/${transport}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const suffix = transport === "udp" ? "-udp" : "";
    const endpoint: Endpoint = {
      name: port.name ?? `port-${targetPort}${suffix}`,
      targetPort,
      exposure: isLocal(ip) ? "internal" : "public",
      protocol: transport === "udp" ? "udp" : (port.application ?? "tcp"),
      secure: false,
      path: null,
    };
    endpoints.push(known(endpoint, part.mark.where));
  }
}

/** Published on the machine itself only, or not at all. */
function isLocal(ip: string): boolean {
  return ip === "none" || ip === "::1" || ip.startsWith("127.");
}

/** Two services that take one port of the machine: Compose fails to start the second. */
export function checkClashes(
  all: readonly { name: string; published: readonly Published[] }[],
): void {
  const taken = new Map<string, { name: string; ip: string }[]>();
  for (const { name, published } of all) {
    for (const { ip, protocol, port, part } of published) {
      const key = `${port}/${protocol}`;
      const others = taken.get(key) ?? [];
      const other = others.find((each) => each.name !== name && overlap(each.ip, ip));
      if (other !== undefined) {
        part.mark.warning(
          "clashing-ports",
          `${quote(other.name)} publishes port ${key} too: together they start nowhere.`,
        );
      }
      // Hundreds of services on one port are one mistake each, not each with each.
      if (others.length < 8) taken.set(key, [...others, { name, ip }]);
    }
  }
}

function overlap(one: string, other: string): boolean {
  const any = ["", "0.0.0.0", "::"];
  return one === other || any.includes(one) || any.includes(other);
}
