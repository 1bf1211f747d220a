import { lookup } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { BlockList, isIP, isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";
import { rootCertificates } from "node:tls";
import { callbackify } from "node:util";
import { Agent, buildConnector, request } from "undici";
import { deadline } from "../util/deadline.ts";

/** A person waits for the answer: 5 s are promised, and something has to be left for the rest. */
const fetchTimeoutMs = 4_000;
const maxRedirects = 5;

/** What was fetched, or why it was not: a sentence for the user. */
export type Fetched = { readonly text: string } | { readonly failure: string };

export interface ConfinedFetchOptions {
  /** ONELOOP_ALLOW_NET: `host:port`, where a host is a name, an IPv4 address or a range. */
  readonly allowNet: readonly string[];
  /** PEM: trusted beside the authorities that Node knows. */
  readonly caFile: string | undefined;
  /** All addresses of a name; by default as this machine resolves it. */
  readonly resolve?: (name: string) => Promise<string[]>;
}

/**
 * Fetches texts from URLs that strangers wrote, in the control plane's own network. It reaches what a
 * workspace could reach: no private, link-local or own address, unless ONELOOP_ALLOW_NET names it.
 * A name is resolved once, and what was judged is what is dialled; each redirect is judged anew.
 * Bounded in time and size, whatever the other side says of its size.
 */
export class ConfinedFetch {
  readonly #options: ConfinedFetchOptions;
  #ca: Promise<string[] | undefined> | null = null;

  constructor(options: ConfinedFetchOptions) {
    this.#options = options;
  }

  /** @param url http or https. */
  async text(url: string, limits: { maxBytes: number; signal: AbortSignal }): Promise<Fetched> {
    using within = deadline(limits.signal, fetchTimeoutMs);
    const { signal } = within;
    this.#ca ??= this.#readCa();
    const connector = buildConnector({ ca: await this.#ca, timeout: fetchTimeoutMs });
    const agent = new Agent({
      pipelining: 0,
      connect: (options, callback) => {
        const dial = callbackify(() => this.#addressOf(options));
        dial((error, address) => {
          if (error !== null) callback(error, null);
          else connector({ ...options, hostname: address }, callback);
        });
      },
    });
    try {
      return await follow(url, { agent, signal, maxBytes: limits.maxBytes });
    } catch (error) {
      return { failure: sentence(error, url, signal) };
    } finally {
      await agent.destroy();
    }
  }

  async #readCa(): Promise<string[] | undefined> {
    const { caFile } = this.#options;
    if (caFile === undefined) return undefined;
    return [...rootCertificates, await readFile(caFile, "utf8")];
  }

  /** @throws Refused, or what the resolver says. */
  async #addressOf(to: buildConnector.Options): Promise<string> {
    const host = to.hostname.replace(/^\[|\]$/g, "");
    const port = Number(to.port) || (to.protocol === "https:" ? 443 : 80);
    const found = isIP(host) === 0 ? await (this.#options.resolve ?? resolveHere)(host) : [host];
    const [address] = found;
    // One of several that is refused: somebody counts on a second look-up.
    for (const each of found) {
      if (isRefused(each) && !this.#isAllowed(each, { host, port })) throw new Refused(host);
    }
    if (address === undefined) throw new Refused(host);
    return address;
  }

  #isAllowed(address: string, { host, port }: { host: string; port: number }): boolean {
    return this.#options.allowNet.some((entry) => {
      const colon = entry.lastIndexOf(":");
      if (Number(entry.slice(colon + 1)) !== port) return false;
      const named = entry.slice(0, colon);
      const [base = "", bits] = named.split("/");
      if (!isIPv4(base)) return named.toLowerCase() === host.toLowerCase();
      const range = new BlockList();
      range.addSubnet(base, Number(bits ?? 32), "ipv4");
      return range.check(address, isIPv4(address) ? "ipv4" : "ipv6");
    });
  }
}

async function resolveHere(name: string): Promise<string[]> {
  const found = await lookup(name, { all: true, order: "ipv4first" });
  return found.map(({ address }) => address);
}

class Refused extends Error {
  readonly host: string;
  constructor(host: string) {
    super(`${host} is refused`);
    this.host = host;
  }
}

class TooLarge extends Error {}

interface Following {
  readonly agent: Agent;
  readonly signal: AbortSignal;
  readonly maxBytes: number;
}

async function follow(first: string, { agent, signal, maxBytes }: Following): Promise<Fetched> {
  let url = new URL(first);
  for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
    const { statusCode, headers, body } = await request(url, {
      dispatcher: agent,
      signal,
      headers: {
        accept: "application/yaml, text/yaml, text/plain, */*",
        "accept-encoding": "identity",
      },
    });
    // A body that is given up raises an error that nobody else listens for.
    body.on("error", () => undefined);
    const location = headers["location"];
    if (statusCode >= 300 && statusCode < 400 && typeof location === "string") {
      body.destroy();
      const next = new URL(location, url);
      const downgraded = url.protocol === "https:" && next.protocol !== "https:";
      if (downgraded || !/^https?:$/.test(next.protocol)) {
        return { failure: `${url.href} redirects to ${next.protocol}, which is not followed.` };
      }
      url = next;
      continue;
    }
    if (statusCode !== 200) {
      body.destroy();
      return { failure: `${url.href} answers with status ${statusCode}: check the address.` };
    }
    if (Number(headers["content-length"] ?? 0) > maxBytes) {
      body.destroy();
      throw new TooLarge();
    }
    return { text: await read(body, maxBytes) };
  }
  return { failure: `${first} redirects more than ${maxRedirects} times: check the address.` };
}

async function read(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxBytes) throw new TooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function sentence(error: unknown, url: string, signal: AbortSignal): string {
  if (error instanceof Refused) {
    return `${url} leads to ${error.host}, an address that is not on the internet. The operator allows it with ONELOOP_ALLOW_NET.`;
  }
  if (error instanceof TooLarge) return `${url} is too large: at most 1 MiB is read.`;
  if (signal.aborted)
    return `${url} did not answer within ${fetchTimeoutMs / 1000} s: try again later.`;
  const code = (error as { code?: unknown }).code;
  const reason = typeof code === "string" ? code : asError(error).message;
  return `${url} cannot be fetched (${reason}): check the address.`;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/**
 * Not the internet: RFC 6890's registries, and Azure's metadata service, which has a public address
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
  "::/96",
  "64:ff9b::/96",
  "64:ff9b:1::/48",
  "100::/64",
  "2001::/23",
  "2002::/16",
  "fc00::/7",
  "fe80::/10",
  "fec0::/10",
  "ff00::/8",
] as const;

const refused = new BlockList();
for (const range of refusedRanges) {
  const [base = "", bits] = range.split("/");
  refused.addSubnet(base, Number(bits), isIPv4(base) ? "ipv4" : "ipv6");
}

/** An IPv4 address in an IPv6 one counts as itself (`BlockList`). */
function isRefused(address: string): boolean {
  const plain = address.replace(/%.*$/, "");
  if (isIP(plain) === 0 || refused.check(plain, isIPv4(plain) ? "ipv4" : "ipv6")) return true;
  const own = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return own.some((each) => each.address === plain || `::ffff:${each.address}` === plain);
}
