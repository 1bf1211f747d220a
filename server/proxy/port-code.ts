import { parsePortUrl } from "../ports/hostname.ts";
import type { Authorize, PortSession } from "./access.ts";
import type { PortProxy } from "./port-proxy.ts";

/**
 * What the app's `/port-sign-in` gives: a code that signs this session in on a port's host; null for
 * a URL that is of no port of this installation, and for a port that this user may not see. A code
 * that is somebody else's, opened in a user's browser, would sign them in as that person there: so
 * nobody gets one for a place that is not open to them.
 */
export function portCodes(parts: {
  readonly proxy: Pick<PortProxy, "mintCode">;
  readonly authorize: Authorize;
  readonly publicUrl: string;
  readonly domain: string;
}): (session: PortSession, to: URL) => Promise<string | null> {
  const { proxy, authorize, domain } = parts;
  const app = new URL(parts.publicUrl);
  return async (session, to) => {
    const host = parsePortUrl(to, app, domain);
    if (host === null) return null;
    const { kind } = await authorize(session, host);
    return kind === "reach" ? proxy.mintCode(session, to.host) : null;
  };
}
