const loopbackHosts = new Set(["localhost", "127.0.0.1", "0.0.0.0", "[::1]", "[::]"]);

interface PortLink {
  port: number;
  url: string;
}

/**
 * Where a link in a terminal leads. `http://localhost:3000/x` means the workspace's own port 3000:
 * it becomes the address of that port, where it has one. `null`: not a link for a browser.
 */
export function linkTarget(uri: string, ports: readonly PortLink[]): string | null {
  if (!URL.canParse(uri)) return null;
  const url = new URL(uri);
  if (url.protocol !== "http:" && url.protocol !== "https:") return null;
  if (!loopbackHosts.has(url.hostname)) return url.href;
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  const known = ports.find((each) => each.port === port);
  if (known === undefined) return url.href;
  // Set part by part: resolved as a reference, a path of `//host/` would lead to another host.
  const target = new URL(known.url);
  target.pathname = url.pathname;
  target.search = url.search;
  target.hash = url.hash;
  return target.href;
}
