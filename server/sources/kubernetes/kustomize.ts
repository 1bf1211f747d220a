import { parseDocuments } from "../yaml/documents.ts";
import { SourceText } from "../yaml/source-text.ts";
import { entryOf, textOf } from "../yaml/tree.ts";

/** What a kustomization has its objects from (kustomize's api/types/kustomization.go). */
const objectFields = [
  ...["resources", "bases", "components"],
  ...["configMapGenerator", "secretGenerator", "generators", "helmCharts"],
];

/**
 * Whether a file says how a folder's objects are put together: then the folder is read through
 * `kubectl kustomize`. `kind` may be absent from such a file.
 */
export function isKustomization(text: string): boolean {
  const trees = parseDocuments(new SourceText(text, "kustomization.yaml")).map(({ tree }) => tree);
  return trees.some((tree) => {
    if (tree?.kind !== "map") return false;
    const [apiVersion, kind] = [textOf(tree, "apiVersion"), textOf(tree, "kind")];
    if (apiVersion?.startsWith("kustomize.config.k8s.io/") === true) return true;
    if (kind !== undefined) return kind === "Kustomization" || kind === "Component";
    return objectFields.some((name) => entryOf(tree, name)?.value.kind === "list");
  });
}
