import { OneloopError } from "../protocol/errors.ts";
import { forbiddenCharacter } from "./ref-name.ts";

/** The longest name that DNS has (RFC 1035, section 2.3.4). */
const maxHostChars = 253;
const maxPort = 65_535;

/** @param message what is wrong, and the right shape; never a part of the URL. */
export function invalid(message: string): never {
  throw new OneloopError("context-url-invalid", message);
}

/** What stands between `//` and the path. */
export interface Authority {
  /** Empty where none is given. */
  readonly user: string;
  /** In lower case, an international name in its ASCII form (`xn--…`). */
  readonly hostname: string;
  /** Null for the scheme's own. */
  readonly port: number | null;
}

const defaultPorts = { http: 80, https: 443, ssh: 22 };

export function readAuthority(text: string, scheme: "http" | "https" | "ssh"): Authority {
  const at = text.lastIndexOf("@");
  const user = at === -1 ? "" : text.slice(0, at);
  if (/:|%3a/i.test(user)) {
    invalid("Remove the password from the URL, and store it as a credential instead.");
  }
  if (scheme !== "ssh" && at !== -1) {
    // A token is often given in the user's place.
    invalid("Remove the user or token from the URL, and store it as a credential instead.");
  }
  if (at !== -1) checkUser(user);
  const [, name = "", digits = ""] =
    /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(text.slice(at + 1)) ?? [];
  const hostname = canonicalHost(name);
  if (digits === "") return { user, hostname, port: null };
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
  if (port < 1 || port > maxPort) {
    invalid(`A port is a number from 1 to ${maxPort}, as in https://host:8443/acme/app.`);
  }
  return { user, hostname, port: port === defaultPorts[scheme] ? null : port };
}

export function checkUser(user: string): void {
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(user)) {
    invalid("The user in front of the @ has letters, digits, dots, dashes and underscores only.");
  }
}

/** As browsers read it: lower case, `bücher.example` as `xn--bcher-kva.example`, `0x7f.1` as 127.0.0.1. */
export function canonicalHost(name: string): string {
  const text = `http://${name}/`;
  const plain = /^(\[[0-9a-f:.]+\]|[^[\]:/?#@%]+)$/i.test(name) && URL.canParse(text);
  const host = plain ? new URL(text).hostname : "";
  const known = /^([a-z0-9]([a-z0-9._-]*[a-z0-9])?\.?|\[[0-9a-f:.]+\])$/.test(host);
  if (!known || host.length > maxHostChars) {
    invalid("The URL's host is no name or address of a machine: check it.");
  }
  return host;
}

/** Each segment is decoded once. */
export function decodeSegments(path: string): string[] {
  return path
    .split("/")
    .filter((segment) => segment !== "")
    .map(decode);
}

export function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return invalid("The URL has a % that encodes nothing: write it as %25.");
  }
}

/** Decoded parts are given to git: none may climb, or hide what it is. */
export function checkSegments(segments: readonly string[]): void {
  for (const segment of segments) {
    if (segment === "." || segment === ".." || forbiddenCharacter.test(segment)) {
      invalid('The path has a part that no repository or branch has, such as "..": remove it.');
    }
  }
}

export function checkRepository(segments: readonly string[]): void {
  const [first] = segments;
  if (first === undefined) {
    invalid("The URL names a host but no repository: add its path, such as /acme/app.");
  }
  if (first.startsWith("-")) invalid('A repository\'s path may not begin with "-".');
  if (segments.some((segment) => segment.includes("/"))) {
    invalid("Write a slash in the repository's path as it is, not as %2F.");
  }
  checkSegments(segments);
}
