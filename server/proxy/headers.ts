import type { IncomingMessage } from "node:http";

/** Oneloop's own cookies: none of them ever reaches a workspace, or comes from one. */
const ownCookie = /^\s*__Host-oneloop/i;
const ownSetCookie = /^\s*(__Host-oneloop|=\s*__Host-oneloop)/i;
/** Oneloop's own tokens. */
const ownToken = /^\s*Bearer\s+oneloop_/i;

/** RFC 9110 section 7.6.1, and what else concerns one connection only. */
const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Headers that a workspace's program may believe because nobody but us sets them. */
const forwarded = /^(x-forwarded-.*|forwarded|x-real-ip)$/;

/** Answered by Node's server before a request comes here. */
const answeredHere: ReadonlySet<string> = new Set(["host", "expect", "http2-settings"]);

/** Names and values in turn, as in `rawHeaders`. */
export type RawHeaders = string[];

/** The values of all cookies named `name`. */
export function cookieValues(header: string | undefined, name: string): string[] {
  return cookiePairs(header ?? "").flatMap((pair) =>
    pair.startsWith(`${name}=`) ? [pair.slice(name.length + 1)] : [],
  );
}

/** A request's headers as the workspace's program gets them; Host is as the browser sent it. */
export function requestHeaders(request: IncomingMessage, publicProtocol: string): RawHeaders {
  const { rawHeaders, headers, socket } = request;
  const dropped = connectionTokens(headers.connection);
  const kept: RawHeaders = ["Host", headers.host ?? ""];
  for (const [name, value] of pairs(rawHeaders)) {
    const lower = name.toLowerCase();
    if (hopByHop.has(lower) || dropped.has(lower) || answeredHere.has(lower)) continue;
    if (forwarded.test(lower)) continue;
    if (lower === "authorization" && ownToken.test(value)) continue;
    if (lower !== "cookie") kept.push(name, value);
    else {
      const others = cookiePairs(value).filter((pair) => !ownCookie.test(pair));
      if (others.length > 0) kept.push(name, others.join("; "));
    }
  }
  kept.push(
    "X-Forwarded-For",
    socket.remoteAddress ?? "unknown",
    "X-Forwarded-Proto",
    publicProtocol,
    "X-Forwarded-Host",
    headers.host ?? "",
  );
  return kept;
}

/** A response's headers as the browser gets them. */
export function responseHeaders(rawHeaders: RawHeaders): RawHeaders {
  const dropped = new Set(hopByHop);
  for (const [name, value] of pairs(rawHeaders)) {
    if (name.toLowerCase() !== "connection") continue;
    for (const token of connectionTokens(value)) dropped.add(token);
  }
  return pairs(rawHeaders).flatMap(([name, value]) =>
    dropped.has(name.toLowerCase()) || isOwnSetCookie(name, value) ? [] : [name, value],
  );
}

export function isOwnSetCookie(name: string, value: string): boolean {
  return name.toLowerCase() === "set-cookie" && ownSetCookie.test(value);
}

export function pairs(rawHeaders: readonly string[]): [string, string][] {
  const result: [string, string][] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    result.push([rawHeaders[at] ?? "", rawHeaders[at + 1] ?? ""]);
  }
  return result;
}

/** Headers that `Connection` names concern this connection only. */
function connectionTokens(connection: string | undefined): Set<string> {
  const tokens = (connection ?? "").split(",").map((token) => token.trim().toLowerCase());
  return new Set(tokens.filter((token) => token !== ""));
}

function cookiePairs(header: string): string[] {
  return header.split(";").flatMap((pair) => (pair.trim() === "" ? [] : [pair.trim()]));
}
