import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { freePort } from "./ports.ts";
import { root } from "./installation.ts";

export interface Nginx extends AsyncDisposable {
  /** Of TLS, on 127.0.0.1. */
  readonly port: number;
  /** Of plain HTTP. */
  readonly plainPort: number;
}

export interface NginxOptions {
  /** An empty folder of its own. */
  readonly folder: string;
  readonly domain: string;
  readonly tls: { readonly key: string; readonly cert: string };
  /** The port of 127.0.0.1 that it stands in front of. */
  readonly upstream: number;
  /** Connections to it that are kept between requests; as in the example where not given. */
  readonly keptConnections?: number;
  readonly port?: number;
}

/** nginx with `docs/nginx.conf`, which gets the places of a test instead of the example's. */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const { folder, domain, tls, upstream } = options;
  const port = options.port ?? (await freePort());
  const plainPort = await freePort();
  const path = (name: string): string => join(folder, name);
  const example = await readFile(join(root, "docs/nginx.conf"), "utf8");
  const places: readonly (readonly [string | RegExp, string])[] = [
    // Not every machine has IPv6.
    [/^ *listen \[::\]:.*\n/gm, ""],
    [/listen 80;/g, `listen 127.0.0.1:${plainPort};`],
    [/listen 443 ssl/g, `listen 127.0.0.1:${port} ssl`],
    [/\boneloop\.example\.com\b/g, domain],
    [/\/etc\/ssl\/oneloop\/fullchain\.pem/g, path("cert.pem")],
    [/\/etc\/ssl\/oneloop\/privkey\.pem/g, path("key.pem")],
    [/server 127\.0\.0\.1:7700;/g, `server 127.0.0.1:${upstream};`],
    [/keepalive 64;/g, `keepalive ${options.keptConnections ?? 64};`],
  ];
  const site = places.reduce((text, [from, to]) => {
    const replaced = text.replaceAll(from, to);
    if (replaced === text && text.search(from) === -1) {
      throw new Error(`docs/nginx.conf does not have ${String(from)} any more`);
    }
    return replaced;
  }, example);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${path(name)};`,
  );
  await Promise.all([
    writeFile(path("site.conf"), site),
    writeFile(path("cert.pem"), tls.cert),
    writeFile(path("key.pem"), tls.key, { mode: 0o600 }),
    writeFile(
      path("nginx.conf"),
      [
        "daemon off; worker_processes 1; error_log stderr notice;",
        `pid ${path("pid")};`,
        ...(process.getuid?.() === 0 ? ["user root;"] : []),
        "events { worker_connections 1024; }",
        `http { access_log off; ${temporary.join(" ")} include ${path("site.conf")}; }`,
      ].join("\n"),
    ),
  ]);
  // Debian's place for it is not in everybody's PATH.
  const env = { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin` };
  const child = spawn("nginx", ["-c", path("nginx.conf"), "-p", folder, "-e", "stderr"], {
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      said.push(line);
      // Its addresses are taken before.
      if (line.includes("start worker process ")) resolve();
    });
    child.once("error", reject);
    void ended.then(() => reject(new Error(`nginx ended:\n${said.join("\n")}`)));
  });
  return {
    port,
    plainPort,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}
