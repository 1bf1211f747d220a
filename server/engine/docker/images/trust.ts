import { createHash, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { rootCertificates } from "node:tls";
import { OneloopError } from "../../../protocol/errors.ts";
import { supervisorMount } from "../../../protocol/supervisor.ts";

/** The certificate authorities that Oneloop's images trust. Nothing in it is secret. */
export interface Trust {
  /** PEM: what this machine trusts, and the operator's own. */
  readonly bundle: string;
  /**
   * Of the operator's certificates that this machine does not trust anyway, 12 hexadecimal digits;
   * null where there are none.
   */
  readonly ownId: string | null;
}

/**
 * The variables by which programs that do not read the image's own store are told whom to trust: the
 * bundle in the supervisor's volume.
 */
export const trustEnvironment: Readonly<Record<string, string>> = Object.fromEntries(
  [
    ...["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "CURL_CA_BUNDLE"],
    ...["REQUESTS_CA_BUNDLE", "PIP_CERT", "CARGO_HTTP_CAINFO", "AWS_CA_BUNDLE"],
  ].map((name) => [name, `${supervisorMount}/etc/ca-certificates.crt`]),
);

/** Debian and Alpine; Fedora; SUSE. */
const certificateFiles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
];

const pemCertificate = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * What this machine trusts, a company's own authority too: git and curl in a container would
 * otherwise fail where they work on the machine. `caFile` adds to it.
 *
 * @throws OneloopError `bad-input` when the file holds no certificate.
 */
export async function readTrust(caFile: string | undefined): Promise<Trust> {
  const machine = await machineCertificates();
  if (caFile === undefined) return { bundle: machine, ownId: null };
  const own = (await ownCertificates(caFile)).filter((pem) => !machine.includes(pem));
  if (own.length === 0) return { bundle: machine, ownId: null };
  const text = `${own.join("\n")}\n`;
  const ownId = createHash("sha256").update(text).digest("hex").slice(0, 12);
  return { bundle: `${machine.trimEnd()}\n${text}`, ownId };
}

/** Says which images hold an operator's own certificates: others must not come by them by a tag. */
export function trustLabel({ ownId }: Trust): Record<string, string> {
  return ownId === null ? {} : { "oneloop.trust": ownId };
}

async function machineCertificates(): Promise<string> {
  for (const file of certificateFiles) {
    const content = await readFile(file, "utf8").catch(() => null);
    if (content !== null) return content;
  }
  return `${rootCertificates.join("\n")}\n`;
}

/** The certificates alone: a key that stands in the same file goes nowhere. */
async function ownCertificates(file: string): Promise<string[]> {
  try {
    const found = (await readFile(file, "utf8")).match(pemCertificate) ?? [];
    // Each is parsed: what only looks like a certificate would break every TLS program inside.
    const parsed = found.map((pem) => new X509Certificate(pem));
    if (parsed.length > 0) return found;
  } catch (error) {
    throw notCertificates(file, error);
  }
  throw notCertificates(file, undefined);
}

function notCertificates(file: string, cause: unknown): OneloopError {
  return new OneloopError(
    "bad-input",
    `${file} cannot be read as PEM certificates. Set ONELOOP_CA_FILE (or NODE_EXTRA_CA_CERTS) to a file that holds your authority's certificate.`,
    { cause },
  );
}
