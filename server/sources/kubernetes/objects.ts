import type { LeftOut } from "../../protocol/source-model.ts";
import { didYouMean } from "../near-names.ts";
import { parseDocuments } from "../yaml/documents.ts";
import { quote, SourceText } from "../yaml/source-text.ts";
import { check } from "./check.ts";
import { formerGroups, kinds, otherVersions } from "./kinds.ts";
import type { Kind } from "./kinds.ts";
import { ApiObject } from "./object.ts";
import { placeOf, Value } from "./value.ts";

export interface KubernetesFile {
  /** How places name the file: its path in the repository. */
  readonly path: string;
  readonly text: string;
}

export interface Objects {
  readonly sources: readonly SourceText[];
  /** Those of kinds that are read, held to their shapes. */
  readonly objects: readonly ApiObject[];
}

/** All objects of the files: their documents, and the items of their lists. */
export function findObjects(files: readonly KubernetesFile[], leftOut: LeftOut[]): Objects {
  const found: ApiObject[] = [];
  const sources = files.map(({ path, text }) => {
    const source = new SourceText(text, path);
    for (const { tree, range } of parseDocuments(source)) {
      if (tree === null) explainTemplate(source, range);
      else addDocument(new Value(tree, ""), { found, leftOut });
    }
    return source;
  });
  return { sources, objects: withoutDoubles(found) };
}

interface Collected {
  readonly found: ApiObject[];
  readonly leftOut: LeftOut[];
}

function addDocument(root: Value, into: Collected): void {
  if (root.node.kind !== "map") {
    report(root, "no-object", "This is no Kubernetes object: an object is a map.");
    return;
  }
  const [apiVersion, kind] = [root.text("apiVersion"), root.text("kind")];
  if (apiVersion === null && kind === null) {
    const why = "It has neither apiVersion nor kind: it is no Kubernetes object.";
    into.leftOut.push({ what: "document", why, where: root.where });
  } else if (kind === null) {
    report(root, "required-value", "Object 'Kind' is missing: add one, such as `kind: Service`.");
  } else if (apiVersion === null) {
    report(root, "required-value", `apiVersion not set for this ${quote(kind)}: add one.`);
  } else if (kind.endsWith("List") && root.get("items") !== null) {
    // Only the first level: a list of lists is none of the API's.
    for (const item of root.items("items")) addItem(new Value(item.node, ""), into);
  } else {
    addObject({ root, apiVersion, kind }, into);
  }
}

function addItem(root: Value, into: Collected): void {
  if (root.text("kind")?.endsWith("List") === true) {
    const why = "A list inside a list is none of the API's.";
    into.leftOut.push({ what: "list", why, where: root.where });
  } else {
    addDocument(root, into);
  }
}

function addObject(
  { root, apiVersion, kind }: { root: Value; apiVersion: string; kind: string },
  { found, leftOut }: Collected,
): void {
  const known = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  const object = new ApiObject(kind, root, leftOut);
  if (kind === "Secret") root.node.source.hide(spanOf(root));
  const versionAt = root.get("apiVersion") ?? root;
  if (known === undefined || !isSameGroup(known, apiVersion)) {
    leftOut.push({
      what: `${kind}/${object.name}`,
      why: whyOther(kind, apiVersion),
      where: root.where,
    });
    return;
  }
  found.push(object);
  if (apiVersion !== known.apiVersion && otherVersions[kind]?.includes(apiVersion) !== true) {
    const what = `no matches for kind ${quote(kind)} in version ${quote(apiVersion)}`;
    object.refuse(versionAt, "unknown-version", `${what}: write ${known.apiVersion}.`);
    return;
  }
  check(object, known.shape);
  checkName(object);
}

function isSameGroup({ apiVersion }: Kind, other: string): boolean {
  const [own, its] = [apiVersion, other].map((each) =>
    each.includes("/") ? each.slice(0, each.indexOf("/")) : "",
  );
  return own === its || formerGroups.includes(its ?? "");
}

function whyOther(kind: string, apiVersion: string): string {
  if (apiVersion.startsWith("kustomize.config.k8s.io/")) {
    return "It says how objects are put together: give the output of `kubectl kustomize`.";
  }
  const near = apiVersion.includes("k8s.io") ? "" : didYouMean(kind, Object.keys(kinds));
  return `Oneloop does not read the kind ${kind} of ${apiVersion}${near || "."}`;
}

/** RFC 1123, as the API checks most names. */
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
/** RFC 1035: names of services are parts of host names. */
const label = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;

function checkName(object: ApiObject): void {
  const { root, kind, name } = object;
  const metadata = root.get("metadata");
  const at = metadata?.get("name") ?? null;
  if (name === "") {
    const where = new Value((metadata ?? root).node, "metadata.name");
    object.refuse(where, "required-value", "Required value: name or generateName is required.");
  } else if (at !== null) {
    const [grammar, most] = kind === "Service" ? [label, 63] : [subdomain, 253];
    if (name.length <= most && grammar.test(name)) return;
    const wanted = `at most ${most} of a-z, 0-9, "-"${kind === "Service" ? "" : ' and "."'}`;
    object.refuse(
      at,
      "invalid-value",
      `Invalid value: ${quote(name)}: a name has ${wanted}, and begins and ends with a letter or digit.`,
    );
  }
}

/** Of two with one name the last counts: `kubectl apply` would replace the first. */
function withoutDoubles(found: readonly ApiObject[]): ApiObject[] {
  const byId = new Map<string, ApiObject>();
  for (const object of found) {
    const id = `${object.kind}/${object.namespace}/${object.name}`;
    const before = byId.get(id);
    if (before !== undefined && object.root.get("metadata")?.get("name") !== null) {
      const { where } = before;
      const place = "line" in where ? `${where.file}:${where.line}` : "";
      const what = `It stands at ${place} too; this one replaces it: remove one.`;
      object.warn(object.root.at("metadata", "name") ?? object.root, "duplicate-object", what);
      byId.delete(id);
    }
    byId.set(object.name === "" ? `${id}${byId.size}` : id, object);
  }
  return [...byId.values()];
}

/** A chart that is not rendered is no YAML: say so beside what YAML says. */
function explainTemplate(source: SourceText, range: { start: number; end: number }): void {
  const at = source.text.slice(range.start, range.end).search(/\{\{-?\s/);
  if (at === -1) return;
  const start = range.start + at;
  source.report(
    { start, end: start + 2 },
    {
      severity: "error",
      code: "unrendered-template",
      message: "This is a template of a Helm chart: give the output of `helm template`.",
    },
  );
}

function spanOf({ node }: Value): { start: number; end: number } {
  return node.written;
}

function report({ node }: Value, code: string, message: string): void {
  node.source.report(node.written, { severity: "error", code, message });
}

/** The place of a file's beginning, for what the files as a whole say. */
export function beginningOf(sources: readonly SourceText[]) {
  const [first = new SourceText("", "kubernetes")] = sources;
  return placeOf({ source: first, written: { start: 0 } });
}
