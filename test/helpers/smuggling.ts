/** What every request of the table carries: where to, and who asks. */
export interface Sender {
  /** As the Host header names it. */
  readonly host: string;
  /** `http` or `https`, as browsers see it. */
  readonly scheme: string;
  readonly cookie: string;
  /** A host that the sender may not reach. */
  readonly foreignHost: string;
}

export interface SmugglingForm {
  readonly name: string;
  /** The bytes of one connection, as latin1. */
  readonly bytes: string;
  /**
   * - `refused`: nothing of it may reach the program
   * - `first`: the first request is sound, and reaches it alone
   */
  readonly outcome: "refused" | "first";
}

/** The path of a request that no one may let in. */
export const smuggledPath = "/smuggled";

/**
 * Connections on which two programs that stand one behind the other might see different requests
 * (RFC 9112 sections 2.2, 5.2, 6.3, 7.1 and 11.2), each with a request for `/smuggled` in it.
 */
export function smugglingForms({ host, scheme, cookie, foreignHost }: Sender): SmugglingForm[] {
  const who = `Host: ${host}\r\nCookie: ${cookie}\r\nOrigin: ${scheme}://${host}\r\n`;
  const hidden = `GET ${smuggledPath} HTTP/1.1\r\nHost: ${foreignHost}\r\n\r\n`;
  const post = (headers: string, body: string): string =>
    `POST /first HTTP/1.1\r\n${who}${headers}\r\n${body}`;
  const get = (headers: string): string => `GET /first HTTP/1.1\r\n${who}${headers}\r\n`;
  const chunked = "Transfer-Encoding: chunked\r\n";
  const empty = `0\r\n\r\n`;
  // Where the connection has not been broken off before, this ends it.
  const last = `GET /last HTTP/1.1\r\nHost: ${foreignHost}\r\nConnection: close\r\n\r\n`;
  const form = (name: string, bytes: string, outcome: SmugglingForm["outcome"]): SmugglingForm => ({
    ...{ name, outcome, bytes: bytes + last },
  });
  const refused = (name: string, bytes: string) => form(name, bytes, "refused");
  const first = (name: string, bytes: string) => form(name, bytes, "first");
  const size = String(empty.length + hidden.length);
  return [
    refused("CL.TE", post(`Content-Length: ${size}\r\n${chunked}`, empty + hidden)),
    refused("TE.CL", post(`${chunked}Content-Length: 4\r\n`, `5c\r\n${hidden}${empty}`)),
    refused("TE.TE, the second unknown", post(`${chunked}Transfer-Encoding: cow\r\n`, empty)),
    refused("TE.TE, identity", post(`${chunked}Transfer-Encoding: identity\r\n`, empty)),
    refused("TE: chunked, identity", post("Transfer-Encoding: chunked, identity\r\n", empty)),
    refused("TE: xchunked", post("Transfer-Encoding: xchunked\r\n", empty + hidden)),
    refused("TE with a vertical tab", post("Transfer-Encoding:\vchunked\r\n", empty + hidden)),
    refused(
      "a space before the colon",
      post(`Content-Length: ${size}\r\nTransfer-Encoding : chunked\r\n`, empty + hidden),
    ),
    refused(
      "a folded Transfer-Encoding",
      post(`Content-Length: ${size}\r\nX-A: b\r\n Transfer-Encoding: chunked\r\n`, empty + hidden),
    ),
    refused(
      "a folded value",
      post(`Content-Length: ${size}\r\nTransfer-Encoding:\r\n chunked\r\n`, empty + hidden),
    ),
    refused(
      "two lengths",
      post(`Content-Length: 0\r\nContent-Length: ${hidden.length}\r\n`, hidden),
    ),
    refused("two lengths in one", post(`Content-Length: 0, ${hidden.length}\r\n`, hidden)),
    refused("a length with a sign", post("Content-Length: +0\r\n", hidden)),
    refused("a length below zero", post("Content-Length: -1\r\n", hidden)),
    refused("a length in hexadecimal", post("Content-Length: 0x0\r\n", hidden)),
    refused("a length beyond 64 bits", post("Content-Length: 18446744073709551616\r\n", hidden)),
    refused("a chunk size with a sign", post(chunked, `+0\r\n\r\n${hidden}`)),
    refused("a chunk size with 0x", post(chunked, `0x0\r\n\r\n${hidden}`)),
    refused(
      "a chunk size beyond 64 bits",
      post(chunked, `10000000000000000\r\n${hidden}\r\n${empty}`),
    ),
    refused("a chunk that is longer than its size", post(chunked, `1\r\nab\r\n${empty}${hidden}`)),
    refused("a chunk size that ends in a bare LF", post(chunked, `0\n\n${hidden}`)),
    refused("a chunk extension with a bare LF", post(chunked, `0;a\n${hidden}${empty}`)),
    refused("lines that end in a bare LF", get("X-A: b\nX-B: c\r\n")),
    refused("a bare CR in a value", get(`X-A: b\rX-B: c\r\n`)),
    refused("a NUL in a value", get("X-A: b\0c\r\n")),
    refused("a header without a name", get(": b\r\n")),
    refused("a header without a colon", get("X-A\r\n")),
    refused("two hosts", get(`Host: ${foreignHost}\r\n`)),
    refused("no host", `GET ${smuggledPath} HTTP/1.1\r\nCookie: ${cookie}\r\n\r\n`),
    refused("HTTP/0.9", `GET ${smuggledPath}\r\n\r\n`),
    refused("an unknown version", `GET ${smuggledPath} HTTP/3.7\r\n${who}\r\n`),
    refused(
      "absolute-form",
      `GET ${scheme}://${foreignHost}${smuggledPath} HTTP/1.1\r\n${who}\r\n`,
    ),
    refused("absolute-form of the own host", `GET ${scheme}://${host}/x HTTP/1.1\r\n${who}\r\n`),
    refused("CONNECT", `CONNECT ${foreignHost}:80 HTTP/1.1\r\n${who}\r\n${hidden}`),
    refused("asterisk-form", `OPTIONS * HTTP/1.1\r\n${who}\r\n`),
    refused("a space in the path", `GET /first ${smuggledPath} HTTP/1.1\r\n${who}\r\n`),
    first("a second request behind it, for another host", get("") + hidden),
    first("a body that looks like a request", post(`Content-Length: ${hidden.length}\r\n`, hidden)),
    first(
      "a chunk that looks like a request",
      post(chunked, `${hidden.length.toString(16)}\r\n${hidden}\r\n${empty}`),
    ),
    refused(
      "an upgrade to HTTP/2 with a request behind it",
      get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAAA\r\n") +
        hidden,
    ),
  ];
}

/** One request as a program got it. */
export interface SeenRequest {
  readonly line: string;
  readonly headers: readonly string[];
}

/**
 * Whether a program that reads strictly and one that reads carelessly see the same in what came:
 * each head's lines end in CRLF, none is folded, and one header at most tells the body's length.
 *
 * @returns what is wrong.
 */
export function ambiguities(heads: readonly SeenRequest[]): string[] {
  return heads.flatMap(({ line, headers }) => {
    const named = (name: RegExp): string[] => headers.filter((header) => name.test(header));
    const lengths = named(/^(content-length|transfer-encoding)\s*:/i);
    return [
      ...(lengths.length > 1 ? [`${line}: ${lengths.join(" and ")}`] : []),
      ...named(/[\r\n\0]|^\s/).map((header) => `${line}: ${JSON.stringify(header)}`),
      ...(named(/^host\s*:/i).length === 1 ? [] : [`${line}: not one host`]),
    ];
  });
}
