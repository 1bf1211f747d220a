import { expect, test } from "vitest";
import type { OneloopError } from "../../../../server/protocol/errors.ts";
import { kustomizeFiles } from "../../../../server/sources/kubernetes/kustomize-files.ts";
import { folderFiles } from "../../../../server/workspaces/preview.ts";

const files = (texts: Record<string, string>) =>
  folderFiles({ name: "shop", paths: Object.keys(texts), texts });

async function found(folder: string, texts: Record<string, string>): Promise<string[]> {
  return [...(await kustomizeFiles(folder, files(texts))).keys()].toSorted();
}

test("an overlay takes its base, its patches and its generators' files, and nothing else", async () => {
  const texts = {
    "k8s/base/kustomization.yml": "resources:\n- api.yaml\nconfigMapGenerator:\n- files: [conf]\n",
    "k8s/base/api.yaml": "kind: Deployment\n",
    "k8s/base/conf": "a=b\n",
    "k8s/base/unused.yaml": "kind: Secret\n",
    "k8s/parts/tls/Kustomization": "resources: [ingress.yaml]\n",
    "k8s/parts/tls/ingress.yaml": "kind: Ingress\n",
    "k8s/prod/kustomization.yaml": [
      "resources: [../base]",
      "components: [../parts/tls]",
      "patches:",
      "- path: memory.yaml",
      "- patch: |-",
      "    - op: remove",
      "      path: /spec",
      "secretGenerator:",
      "- name: keys",
      "  files: [key=keys/dev.txt]",
      "  envs: [.env]",
      "replacements: [{path: names.yaml}]",
    ].join("\n"),
    "k8s/prod/memory.yaml": "kind: Deployment\n",
    "k8s/prod/keys/dev.txt": "k",
    "k8s/prod/.env": "A=1\n",
    "k8s/prod/names.yaml": "source: {}\n",
    "secret.txt": "s",
  };
  const all = Object.keys(texts).filter((path) => !["secret.txt"].includes(path));
  expect(await found("k8s/prod", texts)).toEqual(
    all.filter((path) => path !== "k8s/base/unused.yaml").toSorted(),
  );
});

test("a base in the root, and folders that name each other, are taken once", async () => {
  const texts = {
    "kustomization.yaml": "resources: [app.yaml, over]\n",
    "app.yaml": "kind: Pod\n",
    "over/kustomization.yaml": "resources: ['..', '../../elsewhere', 'https://example.org/x']\n",
  };
  const all = ["app.yaml", "kustomization.yaml", "over/kustomization.yaml"];
  expect(await found("over", texts)).toEqual(all);
  expect(await found(".", texts)).toEqual(all);
});

test("what is too much is refused with what to do", async () => {
  const names = Array.from({ length: 2001 }, (_, at) => `f${at}.yaml`);
  const texts = Object.fromEntries(names.map((name) => [name, "kind: Pod\n"]));
  const failing = found(".", { ...texts, "kustomization.yaml": `resources: [${names.join(",")}]` });
  await expect(failing).rejects.toMatchObject({
    code: "bad-input",
    message: expect.stringContaining("over 2000 files") as string,
  } satisfies Partial<OneloopError>);
});
