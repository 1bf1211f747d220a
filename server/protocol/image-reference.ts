/** What an image reference says, with the defaults of the engines filled in. */
export interface ImageReference {
  /** In lower case or as written, with its port: `docker.io` where none is written. */
  readonly registry: string;
  /** Without the registry: `library/node`, `acme/tools/build`. */
  readonly repository: string;
  readonly tag: string | null;
  /** `sha256:…` */
  readonly digest: string | null;
}

/** The registry that a reference without one means; `index.` is its older name. */
const defaultRegistry = "docker.io";
const olderRegistry = "index.docker.io";
/** What a one-word name means at the default registry. */
const officialFolder = "library";

/** Without tag and digest: the reference grammar's own limit. */
const maxNameLength = 255;
/** Name, tag (128) and the longest digest that anybody uses (sha512), with their separators. */
const maxLength = maxNameLength + 1 + 128 + 1 + "sha512:".length + 128;

const hostLabel = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const host = new RegExp(
  String.raw`^(?:${hostLabel}(?:\.${hostLabel})*|\[[a-fA-F0-9:]+\])(?::[0-9]{1,5})?$`,
);
const pathPart = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagText = /^\w[\w.-]{0,127}$/;
/** The two algorithms that the image specification registers. */
const digestText = /^(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$/;

/**
 * Reads an image reference (the OCI distribution specification's grammar, as
 * github.com/distribution/reference has it):
 *
 *     [registry[:port]/]name[/name…][:tag][@digest]
 *
 * `node:20`, `ghcr.io/acme/tools:1.2`, `localhost:5000/a@sha256:…`. Everything else is `null`: an
 * engine puts a reference into the path of a URL, so there is no `?`, `#`, `%`, `&`, `=`, blank or
 * empty segment in one, and no segment is `.` or `..`.
 */
export function parseImageReference(text: string): ImageReference | null {
  if (text.length > maxLength) return null;
  const [named = "", digest = null, ...more] = text.split("@");
  if (more.length > 0 || (digest !== null && !digestText.test(digest))) return null;
  // A colon before the last slash is a registry's port.
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  const name = colon === -1 ? named : named.slice(0, colon);
  const tag = colon === -1 ? null : named.slice(colon + 1);
  if (name.length > maxNameLength || (tag !== null && !tagText.test(tag))) return null;
  const { registry, path } = splitRegistry(name);
  if (registry !== null && !host.test(registry)) return null;
  const parts = path.split("/");
  if (!parts.every((part) => pathPart.test(part))) return null;
  const known = registry === null || registry === olderRegistry ? defaultRegistry : registry;
  const official = known === defaultRegistry && parts.length === 1;
  return {
    registry: known,
    repository: official ? `${officialFolder}/${path}` : path,
    tag,
    digest,
  };
}

/**
 * Whether the engine would keep this image under one of Oneloop's own names (`oneloop/…`), however
 * the default registry is written: such images are built here and never come from a registry.
 */
export function isOwnImage({ registry, repository }: ImageReference): boolean {
  return registry === defaultRegistry && repository.startsWith("oneloop/");
}

/** The first segment is a registry if it could be no folder of the default one. */
function splitRegistry(name: string): { registry: string | null; path: string } {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(0, slash));
  if (slash === -1 || !(/[.:]/.test(first) || first === "localhost")) {
    return { registry: null, path: name };
  }
  return { registry: first, path: name.slice(slash + 1) };
}
