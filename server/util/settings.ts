import { isIP } from "node:net";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { z } from "zod";
import { OneloopError } from "../protocol/errors.ts";
import { parseImageReference } from "../protocol/image-reference.ts";
import { readAllowNet } from "./allow-net.ts";

interface Declared<Schema extends z.ZodType> {
  readonly schema: Schema;
  /** Shown in the README's table. */
  readonly help: string;
  /** Shown instead of a default that is computed. */
  readonly defaultHelp?: string;
}

function declare<Schema extends z.ZodType>(
  schema: Schema,
  help: string,
  defaultHelp?: string,
): Declared<Schema> {
  return { schema, help, ...(defaultHelp === undefined ? {} : { defaultHelp }) };
}

const port = z.coerce.number().int().min(0).max(65535);
const list = z
  .string()
  .transform((text) => text.split(",").flatMap((part) => (part.trim() ? [part.trim()] : [])));

const allowNet = list.superRefine((entries, context) => {
  const { wrong } = readAllowNet(entries);
  if (wrong.length === 0) return;
  const said = wrong.map((entry) => JSON.stringify(entry)).join(", ");
  context.addIssue(`${said}: write host:port, where a host is a name, an IPv4 address or a range`);
});

/** Image references, as `from=to`. */
const imageMap = list.transform((entries, context) => {
  const pairs = entries.map((entry) => {
    const at = entry.indexOf("=");
    return [entry.slice(0, Math.max(at, 0)).trim(), entry.slice(at + 1).trim()] as const;
  });
  const wrong = pairs.findIndex((pair) => !pair.every(isImage));
  if (wrong !== -1) {
    context.addIssue(
      `${JSON.stringify(entries[wrong])}: write from=to, each an image, separated by commas`,
    );
  }
  return Object.fromEntries(pairs);
});

const folders = list.refine((paths) => paths.every((path) => isAbsolute(path)), {
  error: ({ input }) => `absolute paths, and not ${JSON.stringify(input)}`,
});

/**
 * The data folder of who has not set one: `/var/lib/oneloop` for root, whose home the database's own
 * user cannot enter; else the one of the XDG Base Directory Specification, by which a relative
 * XDG_DATA_HOME is ignored.
 *
 * @param home of the user, absolute.
 */
export function standardDataDir(
  uid: number | undefined,
  home: string,
  env: Readonly<Record<string, string | undefined>>,
): string {
  if (uid === 0) return "/var/lib/oneloop";
  const given = env["XDG_DATA_HOME"] ?? "";
  return join(isAbsolute(given) ? given : join(home, ".local", "share"), "oneloop");
}

function isImage(text: string): boolean {
  return parseImageReference(text) !== null;
}

/** An address, or a name that could be resolved; with digits at its end only an address is meant. */
function isHost(text: string): boolean {
  if (isIP(text) !== 0) return true;
  const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
  return new RegExp(`^(?:${label}\\.)*(?![0-9]+$)${label}$`, "i").test(text);
}

function isPostgresUrl(text: string): boolean {
  return /^postgres(?:ql)?:\/\//.test(text) && URL.canParse(text);
}

/** Every environment variable that the control plane reads, declared once. */
export const declaredSettings = {
  ONELOOP_DATA_DIR: declare(
    z
      .string()
      .startsWith("/", "an absolute path")
      .default(() => standardDataDir(process.getuid?.(), homedir(), process.env)),
    "Where the database, the secret key and the SSH host key are kept.",
    "`/var/lib/oneloop` for root, else `~/.local/share/oneloop`",
  ),
  ONELOOP_HOST: declare(
    z
      .string()
      .refine(isHost, "an address of this machine, such as 127.0.0.1, without a port")
      .default("127.0.0.1"),
    "The address that the HTTP and SSH doors listen on.",
  ),
  ONELOOP_PORT: declare(
    port.default(7700),
    "The port of the web, the API and the workspaces' ports.",
  ),
  ONELOOP_SSH_PORT: declare(port.default(7722), "The port of the SSH gateway."),
  ONELOOP_SSH_BANNER: declare(
    z
      .string()
      .max(2000)
      .regex(/^[^\p{Cc}]*$/u, "one line of text, without control characters")
      .optional(),
    "A line that everybody who connects by ssh is shown before the sign-in.",
    "none",
  ),
  ONELOOP_SSH_CODES: declare(
    z.enum(["on", "off"]).default("off"),
    "`on` lets people sign in by ssh without a key, with a one-time code that `loop keys code` prints.",
  ),
  ONELOOP_DOMAIN: declare(
    z
      .string()
      .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, "a domain name in lower case")
      .default("localhost"),
    "The domain under which `app.<domain>` and the ports' host names stand.",
  ),
  ONELOOP_PUBLIC_URL: declare(
    z
      .url({ protocol: /^https?$/, error: "a URL such as https://app.example.com" })
      .refine((url) => isOrigin(url), "the scheme, host and port alone, without a path")
      .optional(),
    "The web app's URL as browsers see it, when a TLS proxy stands in front.",
    "`http://app.<domain>:<port>`",
  ),
  ONELOOP_SECRET_KEY: declare(
    z.string().min(32).optional(),
    "The secret from which cookies, grants and stored credentials derive their keys.",
    "made at the first start, kept in the data folder",
  ),
  ONELOOP_ALLOW_NET: declare(
    allowNet.default([]),
    "Private addresses that workspaces may reach, as `host:port`, separated by commas.",
  ),
  ONELOOP_ISOLATION: declare(
    z.enum(["on", "off"]).default("on"),
    "`off` starts workspaces without network rules: only for machines that nobody else shares.",
  ),
  ONELOOP_FILE_ROOTS: declare(
    folders.optional(),
    "Folders whose repositories `file://` URLs may name, separated by commas.",
    "any folder while ONELOOP_HOST is a loopback address, else none",
  ),
  ONELOOP_SUBNETS: declare(
    z
      .string()
      .regex(/^\d+\.\d+\.\d+\.\d+\/\d+$/, "a range such as 10.213.0.0/16")
      .default("10.213.0.0/16"),
    "The range from which each workspace's network takes a /28, or more for many services.",
  ),
  ONELOOP_SPARE_SANDBOXES: declare(
    z.coerce.number().int().min(0).max(16).default(6),
    "For so many services of a mirror that was not opened before a sandbox is made ahead, of 13 MB each.",
  ),
  ONELOOP_IMAGE_MAP: declare(
    imageMap.default({}),
    "Images that stand in for production's where it is mirrored, as `from=to`, separated by commas.",
    "none",
  ),
  ONELOOP_CA_FILE: declare(
    z.string().startsWith("/", "an absolute path").optional(),
    "A PEM file of certificate authorities that git, builds and workspaces trust beside this machine's own.",
    "the file that NODE_EXTRA_CA_CERTS names, if it is set",
  ),
  ONELOOP_LOG_LEVEL: declare(
    z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
    "How much the control plane logs.",
  ),
  ONELOOP_BASE_IMAGE: declare(
    z.string().refine(isImage, "an image, such as debian:bookworm-slim").optional(),
    "The image to build Oneloop's own images on, where `debian:bookworm-slim` cannot be pulled.",
    "`debian:bookworm-slim`, else one made with mmdebstrap",
  ),
  NODE_EXTRA_CA_CERTS: declare(
    z.string().optional(),
    "Node's own setting: certificate authorities for what Oneloop itself asks, and for all that ONELOOP_CA_FILE is for.",
    "none",
  ),
  DATABASE_URL: declare(
    z
      .string()
      .refine(isPostgresUrl, "a URL such as postgresql://user:password@host:5432/database")
      .optional(),
    "A PostgreSQL of yours (14 or newer) instead of the one that Oneloop starts.",
    "a PostgreSQL of Oneloop's own, in the data folder",
  ),
  DOCKER_HOST: declare(
    z.string().default("unix:///var/run/docker.sock"),
    "The Docker engine: a unix socket of this machine.",
  ),
} as const;

export type Settings = {
  readonly [Name in keyof typeof declaredSettings]: z.output<
    (typeof declaredSettings)[Name]["schema"]
  >;
};

/**
 * The data folder alone, for who needs no other setting: a shell may have a DATABASE_URL that is
 * another program's.
 *
 * @throws OneloopError `bad-input`
 */
export function readDataDir(env: Readonly<Record<string, string | undefined>>): string {
  const { ONELOOP_DATA_DIR } = readSettings({ ONELOOP_DATA_DIR: env["ONELOOP_DATA_DIR"] });
  return ONELOOP_DATA_DIR;
}

/**
 * Reads all settings at once.
 *
 * @throws OneloopError `bad-input` that names every wrong variable.
 */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const wrong: string[] = [];
  const entries = Object.entries(declaredSettings).map(([name, { schema }]) => {
    const given = env[name];
    const result = schema.safeParse(given === "" ? undefined : given);
    if (result.success) return [name, result.data];
    wrong.push(`${name}: ${result.error.issues.map((issue) => issue.message).join("; ")}`);
    return [name, undefined];
  });
  const settings = Object.fromEntries(entries) as Partial<Settings>;
  const { ONELOOP_PUBLIC_URL: publicUrl, ONELOOP_DOMAIN: domain } = settings;
  // Ports would get addresses that lead every browser to its own machine.
  if (publicUrl !== undefined && domain === "localhost" && !isOfLocalhost(publicUrl)) {
    wrong.push("ONELOOP_DOMAIN: must be set where ONELOOP_PUBLIC_URL is not of localhost");
  }
  if (wrong.length > 0) throw new OneloopError("bad-input", `Wrong settings. ${wrong.join(". ")}`);
  return settings as Settings;
}

function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return url.href === `${url.origin}/`;
}

function isOfLocalhost(url: string): boolean {
  return /(^|\.)localhost$/.test(new URL(url).hostname);
}

/** Certificates that workspaces trust beside this machine's own: what Node trusts, they do too. */
export function caFileOf(settings: Settings): string | undefined {
  return settings.ONELOOP_CA_FILE ?? settings.NODE_EXTRA_CA_CERTS;
}

/** The README's table, made from the declarations. */
export function settingsTable(): string {
  const rows = Object.entries(
    declaredSettings as Readonly<Record<string, Declared<z.ZodType>>>,
  ).map(([name, { schema, help, defaultHelp }]) => {
    const standard = schema.safeParse(undefined);
    const value = JSON.stringify(standard.data ?? "").replaceAll(/["[\]]/g, "");
    const shown = defaultHelp ?? (value === "" ? "none" : `\`${value}\``);
    return `| \`${name}\` | ${help} | ${shown} |`;
  });
  return ["| variable | what | default |", "|---|---|---|", ...rows].join("\n");
}
