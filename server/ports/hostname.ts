import { createHash } from "node:crypto";

/** What a host name of a workspace's port says. */
export interface PortHost {
  /** 1–65535. */
  readonly port: number;
  readonly workspace: string;
  /**
   * `null`: the dev container, or whatever shares its network. What a host name says is the label of
   * the service's name (`serviceLabel`).
   */
  readonly service: string | null;
}

/** A workspace's name has at most this many characters, so that every host name's label has 63. */
const maxWorkspaceLength = 32;
/** Longer names of services are hashed to at most this length. */
const maxServiceLength = 22;
/** 40 bits: two services of one workspace never meet by chance. */
const hashLength = 8;
const base32 = "abcdefghijklmnopqrstuvwxyz234567";

const name = /^[a-z0-9]+(-[a-z0-9]+)*$/;
/** No sign, no leading zero: one port has one host name. */
const portNumber = /^[1-9][0-9]{0,4}$/;
const portSuffix = /:[0-9]{1,5}$/;
/** Outside ASCII, lower-casing makes other letters of some (U+212A becomes `k`). */
const ascii = /^[\x21-\x7e]+$/;

/**
 * Reads the host name of a workspace's port, as a Host header or a URL carries it:
 *
 *     <port>-<workspace>.<domain>             3000-govapp-main-xkd.localhost
 *     <port>-<service>--<workspace>.<domain>  5432-db--govapp-main-xkd.localhost
 *
 * in any case, with or without `:port` at its end. Names are `[a-z0-9]` and single hyphens, never at
 * an end; a workspace's has at most 32 characters, a service's 22. Everything else is `null`,
 * `app.<domain>` and the bare domain too.
 */
export function parsePortHost(host: string, domain: string): PortHost | null {
  if (!ascii.test(host)) return null;
  const bare = host.toLowerCase().replace(portSuffix, "");
  const suffix = `.${domain}`;
  if (!bare.endsWith(suffix)) return null;
  const label = bare.slice(0, -suffix.length);
  const hyphen = label.indexOf("-");
  if (hyphen === -1) return null;
  const port = label.slice(0, hyphen);
  if (!portNumber.test(port) || Number(port) > 65_535) return null;
  const names = label.slice(hyphen + 1).split("--");
  const workspace = names.pop() ?? "";
  const service = names.pop() ?? null;
  if (names.length > 0) return null;
  if (!name.test(workspace) || workspace.length > maxWorkspaceLength) return null;
  if (service !== null && (!name.test(service) || service.length > maxServiceLength)) return null;
  return { port: Number(port), workspace, service };
}

/** The host name of a port: what `parsePortHost` reads, in lower case and without `:port`. */
export function formatPortHost({ port, workspace, service }: PortHost, domain: string): string {
  return service === null
    ? `${port}-${workspace}.${domain}`
    : `${port}-${serviceLabel(service)}--${workspace}.${domain}`;
}

/**
 * How a service is called in a host name: by its own name where the grammar has room for it, else by
 * the start of it and a hash: `a-service-of-rather-many-words` is `a-service-of-v64iryrk`.
 * A label's label is itself.
 */
export function serviceLabel(service: string): string {
  if (name.test(service) && service.length <= maxServiceLength) return service;
  const digest = createHash("sha256").update(service).digest();
  const end = Array.from(digest.subarray(0, hashLength), (byte) => base32[byte & 31]).join("");
  const start = service
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replace(/^-/, "")
    .slice(0, maxServiceLength - hashLength - 1)
    .replace(/-$/, "");
  return start === "" ? end : `${start}-${end}`;
}

/** The origin of a port, with the scheme and the port number by which browsers reach the app. */
export function portOrigin(portHost: PortHost, app: URL, domain: string): string {
  const port = app.port === "" ? "" : `:${app.port}`;
  return `${app.protocol}//${formatPortHost(portHost, domain)}${port}`;
}

/**
 * The port that a URL names, if it is at this installation's own door. The same name with another
 * port number or scheme is some other program's on that machine: nothing of a user may go there.
 */
export function parsePortUrl(url: URL, app: URL, domain: string): PortHost | null {
  const portHost = parsePortHost(url.host, domain);
  return portHost !== null && url.origin === portOrigin(portHost, app, domain) ? portHost : null;
}
