import { posix } from "node:path";
import { quote } from "../yaml/source-text.ts";
import { textOf, valueOf } from "../yaml/tree.ts";
import type { MapNode, TreeNode } from "../yaml/tree.ts";

/** Where a devfile is. */
export type DocumentLocation =
  /** Below the repository's root, at the commit that is opened. */
  | { readonly kind: "repository"; readonly path: string }
  | { readonly kind: "url"; readonly url: string }
  /** Null: the registry that is asked by default; its default version. */
  | {
      readonly kind: "registry";
      readonly registryUrl: string | null;
      readonly id: string;
      readonly version: string | null;
    };

/** How a location is called in a message. No two locations are called the same. */
export function locationName(location: DocumentLocation): string {
  switch (location.kind) {
    case "repository":
      return location.path;
    case "url":
      return location.url;
    case "registry": {
      const { id, version, registryUrl } = location;
      const name = version === null ? id : `${id}@${version}`;
      return registryUrl === null ? `registry:${name}` : `${registryUrl}#${name}`;
    }
  }
}

/** What a `parent` or `plugin` refers to. */
export interface DevfileReference {
  /** The value that a message is about. */
  readonly at: TreeNode;
  /** Null: it has a mistake, which was reported, or it is one that is not supported. */
  readonly location: DocumentLocation | null;
  readonly kubernetes: boolean;
}

const maxUriChars = 2000;

/**
 * Reads where a parent or a plugin is. A relative `uri` is taken from the file that has it in it.
 * Null where none is named; what is wrong with it is reported.
 */
export function readReference(map: MapNode, base: DocumentLocation): DevfileReference | null {
  const uri = valueOf(map, "uri");
  if (uri !== undefined) return { at: uri, location: readUri(uri, base), kubernetes: false };
  const id = valueOf(map, "id");
  if (id !== undefined) return { at: id, location: readId(id, map), kubernetes: false };
  const kubernetes = valueOf(map, "kubernetes");
  return kubernetes === undefined ? null : { at: kubernetes, location: null, kubernetes: true };
}

function readUri(at: TreeNode, base: DocumentLocation): DocumentLocation | null {
  const uri = at.kind === "scalar" && typeof at.value === "string" ? at.value : null;
  if (uri === null) return null;
  if (/^https?:/i.test(uri)) return asUrl(uri, at);
  if (
    /^[a-z][-+.a-z0-9]*:|^\/\/|[\p{Cc}\\]/iu.test(uri) ||
    uri === "" ||
    uri.length > maxUriChars
  ) {
    return wrong(
      at,
      `${quote(uri)} cannot be read: write a path in this repository, or an https URL.`,
    );
  }
  switch (base.kind) {
    case "repository": {
      const path = posix.join(posix.dirname(base.path), uri);
      if (!uri.startsWith("/") && path !== ".." && !path.startsWith("../")) {
        return { kind: "repository", path };
      }
      return wrong(at, `${quote(uri)} leads out of the repository: write a path in it.`);
    }
    case "url":
      return asUrl(uri, at, base.url);
    case "registry":
      return wrong(
        at,
        `${quote(uri)} is relative, and a registry has no folders: write an https URL.`,
      );
  }
}

function asUrl(text: string, at: TreeNode, base?: string): DocumentLocation | null {
  const url = parseUrl(text, base);
  if (url === null || text.length > maxUriChars) {
    return wrong(
      at,
      `${quote(text)} is no URL: write one such as https://example.org/devfile.yaml.`,
    );
  }
  if (url.username !== "" || url.password !== "") {
    return wrong(
      at,
      "Everybody can read this devfile: take the credential out of the URL, and renew it.",
    );
  }
  url.hash = "";
  return { kind: "url", url: url.href };
}

/** devfile/registry-support: names of stacks, as they stand in a URL's path. */
const stackId = /^[A-Za-z0-9][-.\w]{0,200}$/;

function readId(at: TreeNode, map: MapNode): DocumentLocation | null {
  const id = textOf(map, "id");
  if (id === undefined) return null;
  if (!stackId.test(id)) {
    return wrong(at, `${quote(id)} is no id of a registry's devfile: use letters, digits and "-".`);
  }
  const registry = valueOf(map, "registryUrl");
  const registryUrl = textOf(map, "registryUrl") ?? null;
  const url = registryUrl === null ? null : asUrl(registryUrl, registry ?? at);
  if (registryUrl !== null && url?.kind !== "url") return null;
  const base = url?.kind === "url" ? url.url.replace(/\/+$/, "") : null;
  return { kind: "registry", registryUrl: base, id, version: textOf(map, "version") ?? null };
}

function parseUrl(text: string, base: string | undefined): URL | null {
  try {
    const url = new URL(text, base);
    return url.protocol === "http:" || url.protocol === "https:" ? url : null;
  } catch {
    return null;
  }
}

function wrong(at: TreeNode, message: string): null {
  at.source.report(at.written, { severity: "error", code: "bad-uri", message });
  return null;
}
