import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";
import { createGzip } from "node:zlib";
import { pack } from "tar-stream";
import { listening } from "./listening.ts";

export interface GoMirror extends AsyncDisposable {
  /** The paths that were asked for, the oldest first. */
  readonly requests: readonly string[];
}

/**
 * Serves one release of "Go" under the names that Go's own download host has, with its checksum. It
 * is no compiler: a program called `go` that prints its version and what it was told.
 */
export async function startGoMirror(options: {
  readonly version: string;
  readonly host: string;
  readonly port: number;
}): Promise<GoMirror> {
  const archive = await release(options.version);
  const checksum = createHash("sha256").update(archive).digest("hex");
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const { url = "" } = request;
    requests.push(url);
    const [, ending] =
      new RegExp(`^/go${options.version}\\.linux-\\w+\\.tar\\.gz(.*)$`).exec(url) ?? [];
    if (ending === undefined) response.writeHead(404).end();
    else response.end(ending === ".sha256" ? checksum : archive);
  });
  const served = await listening(server, { host: options.host, port: options.port });
  return { requests, [Symbol.asyncDispose]: () => served[Symbol.asyncDispose]() };
}

async function release(version: string): Promise<Buffer> {
  const program = `#!/bin/sh
if [ "$1" = version ]; then echo "go version go${version} linux/test"; else echo "go${version} $*"; fi
`;
  const archive = pack();
  archive.entry({ name: "go/VERSION" }, `go${version}\n`);
  archive.entry({ name: "go/bin/go", mode: 0o755 }, program);
  archive.finalize();
  return buffer(archive.pipe(createGzip()));
}
