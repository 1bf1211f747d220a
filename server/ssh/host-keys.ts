import { generateKeyPair, randomBytes } from "node:crypto";
import { link, mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

/** The order is the order of preference. RSA is for clients that have nothing newer. */
const kinds = [
  { file: "ssh_host_ed25519_key", generate: generateEd25519 },
  { file: "ssh_host_rsa_key", generate: generateRsa },
] as const;

const rsaBits = 3072;

/**
 * The gateway's host keys, made at the first call and kept in `<dataDir>/ssh` (mode 0600), in
 * formats that OpenSSH reads. Control planes that start at the same time get the same keys.
 *
 * @returns PEM texts, Ed25519 first.
 */
export async function ensureHostKeys(dataDir: string): Promise<string[]> {
  const folder = join(dataDir, "ssh");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return Promise.all(kinds.map(({ file, generate }) => ensureKey(join(folder, file), generate)));
}

async function ensureKey(path: string, generate: () => Promise<string>): Promise<string> {
  const kept = await readIfThere(path);
  if (kept !== null) return kept;
  const draft = `${path}.${randomBytes(8).toString("hex")}`;
  try {
    const file = await open(draft, "wx", 0o600);
    try {
      await file.writeFile(await generate());
      await file.sync();
    } finally {
      await file.close();
    }
    // A link never replaces: who comes second takes the key of who came first.
    await link(draft, path).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
  return readFile(path, "utf8");
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

async function generateRsa(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)("rsa", {
    modulusLength: rsaBits,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
  });
  return privateKey;
}

/**
 * Ed25519 in OpenSSH's own format (its PROTOCOL.key), the only one for it that both OpenSSH and ssh2
 * read.
 */
async function generateEd25519(): Promise<string> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)("ed25519", {});
  const point = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  const seed = Buffer.from(privateKey.export({ format: "jwk" }).d ?? "", "base64url");
  const type = Buffer.from("ssh-ed25519");
  const check = randomBytes(4);
  const secret = Buffer.concat([
    check,
    check,
    field(type),
    field(point),
    field(Buffer.concat([seed, point])),
    field(Buffer.from("oneloop")),
  ]);
  // Padded to the block of the cipher, 8 bytes for `none`, with 1, 2, 3, …
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7]).subarray(0, (8 - (secret.length % 8)) % 8);
  const none = field(Buffer.from("none"));
  const bytes = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    none,
    none,
    field(Buffer.alloc(0)),
    Buffer.from([0, 0, 0, 1]),
    field(Buffer.concat([field(type), field(point)])),
    field(Buffer.concat([secret, padding])),
  ]);
  const lines = bytes.toString("base64").match(/.{1,70}/g) ?? [];
  const label = "OPENSSH PRIVATE KEY";
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

function field(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
