/**
 * Which host names are the app's:
 * - `app`: the public URL's own host; browsers and their cookies
 * - `loopback`: an IP address or the bare domain of this machine; the command line with its token,
 *   never a cookie
 */
export type HostKind = "app" | "loopback" | "other";

export class AppHosts {
  /** Without a trailing slash. */
  readonly publicUrl: string;
  readonly #appHost: string;
  readonly #origin: string;
  readonly #bareDomain: string;

  constructor(publicUrl: string, domain: string) {
    const url = new URL(publicUrl);
    this.publicUrl = publicUrl.replace(/\/$/, "");
    this.#appHost = url.host;
    this.#origin = url.origin;
    this.#bareDomain = domain;
  }

  kindOf(host: string | undefined): HostKind {
    if (host === undefined) return "other";
    const lower = host.toLowerCase();
    if (lower === this.#appHost) return "app";
    const name = lower.replace(/:\d+$/, "");
    const local = name === this.#bareDomain || name === "127.0.0.1" || name === "[::1]";
    return local || name === "localhost" ? "loopback" : "other";
  }

  isOwnOrigin(origin: string | null): boolean {
    return origin === this.#origin;
  }
}

/**
 * Whether a call of the API may be looked at, by where it comes from. A browser tells; what tells
 * nothing is no browser, and gets in by a token only. A foreign or `null` Origin is always refused.
 *
 * @returns null, or why not.
 */
export function mayCall(request: Request, kind: HostKind, hosts: AppHosts): string | null {
  const origin = request.headers.get("origin");
  const site = request.headers.get("sec-fetch-site");
  if (kind === "other") return "This host name is not Oneloop's.";
  if (origin !== null && !hosts.isOwnOrigin(origin)) return "This page is not Oneloop's.";
  if (kind === "loopback") {
    return origin === null && site === null
      ? null
      : `Browsers use ${hosts.publicUrl}; this address is for the command line.`;
  }
  const hasToken = request.headers.get("authorization") !== null;
  const hasCookie = request.headers.get("cookie") !== null;
  if (hasToken && !hasCookie) return null;
  if (request.method === "GET") {
    return site === "same-origin" ? null : "Only Oneloop's own pages may ask this.";
  }
  return origin === null ? "The request does not say which page it comes from." : null;
}
