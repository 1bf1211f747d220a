import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface TestAuthority {
  /** The authority's certificate, PEM: a path. */
  readonly caFile: string;
  /** A server's key and its certificate of this authority, PEM. */
  readonly tls: { readonly key: string; readonly cert: string };
}

/**
 * A certificate authority of a test's own, and a certificate of it for IP addresses and host names,
 * such as `*.example.com`.
 */
export async function testAuthority(folder: string, ...names: string[]): Promise<TestAuthority> {
  const path = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): Promise<unknown> => run("openssl", args);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await openssl(
    ...["req", "-x509", ...key, "-days", "2", "-subj", "/CN=Oneloop test authority"],
    ...["-addext", "basicConstraints=critical,CA:TRUE"],
    ...["-keyout", path("ca.key"), "-out", path("ca.crt")],
  );
  await openssl(
    ...["req", ...key, "-subj", "/CN=Oneloop test server", "-keyout", path("server.key")],
    ...["-out", path("server.csr")],
  );
  const alternatives = names.map((name) => `${isIP(name) === 0 ? "DNS" : "IP"}:${name}`);
  await writeFile(path("server.ext"), `subjectAltName=${alternatives.join(",")}\n`);
  await openssl(
    ...["x509", "-req", "-in", path("server.csr"), "-CA", path("ca.crt"), "-CAkey", path("ca.key")],
    ...["-CAcreateserial", "-days", "2", "-extfile", path("server.ext")],
    ...["-out", path("server.crt")],
  );
  const [keyText, cert] = await Promise.all([
    readFile(path("server.key"), "utf8"),
    readFile(path("server.crt"), "utf8"),
  ]);
  return { caFile: path("ca.crt"), tls: { key: keyText, cert } };
}
