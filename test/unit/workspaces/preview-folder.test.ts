import { expect, test } from "vitest";
import type { FolderFiles, Preview } from "../../../server/protocol/preview.ts";
import { previewFolder, type PreviewParts } from "../../../server/workspaces/preview.ts";

const devfile =
  "schemaVersion: 2.2.2\nmetadata: {name: app}\ncomponents: [{name: dev, container: {image: x}}]\n";
const ada = { id: "ada", name: "ada", role: "owner", tokenId: "t" } as const;
const parts = {
  settings: { profile: () => Promise.resolve({ dotfilesUrl: null }) },
  kustomize: { of: () => () => Promise.reject(new Error("nothing is put together here")) },
  images: {},
} as unknown as PreviewParts;

/** What would run for these texts, and these sizes of files that were not sent. */
function preview(
  texts: Record<string, string>,
  tooLarge: Record<string, number>,
  mirror?: string,
): Promise<Preview> {
  const paths = [...Object.keys(texts), ...Object.keys(tooLarge)];
  const files: FolderFiles = { name: "app", paths, texts, tooLarge };
  return previewFolder(parts, ada, { files, request: { mirror } });
}

test("what of a folder was passed over for its size is in the list of what is left out", async () => {
  const texts = { "package.json": "{}", "sub/package.json": " ".repeat(300 * 1024) };
  const { leftOut, plan } = await preview(texts, {
    "requirements.txt": 600_000,
    "k8s/a.yaml": 700_000,
  });
  expect(leftOut.map(({ what, where }) => `${where} ${what}`).toSorted()).toEqual([
    "k8s/a.yaml:1:1 k8s/a.yaml",
    "requirements.txt:1:1 requirements.txt",
    "sub/package.json:1:1 sub/package.json",
  ]);
  expect(leftOut.find(({ what }) => what === "requirements.txt")?.why).toContain(
    "600000 bytes; at most 262144",
  );
  expect(plan.leftOut).toHaveLength(3);
});

test("nothing is left out of a folder whose files are as large as they usually are", async () => {
  expect((await preview({ "devfile.yaml": devfile }, {})).leftOut).toEqual([]);
});

test("what was too large for detection, and is read as production, was not left out", async () => {
  const compose = `services: {db: {image: x}}\n${"# x\n".repeat(80 * 1024)}`;
  const texts = { "package.json": "{}", "compose.yaml": compose };
  const passedOver = ({ leftOut }: Preview): string[] =>
    leftOut.flatMap(({ what, why }) => (why.includes("passed over") ? [what] : []));
  expect(passedOver(await preview(texts, {}))).toEqual(["compose.yaml"]);
  expect(passedOver(await preview(texts, {}, "compose.yaml"))).toEqual([]);
});

test.each([
  ["devfile.yaml", 600_000, undefined],
  ["compose.yaml", 600_000, "compose.yaml"],
  ["k8s/sub/a.yaml", 600_000, "k8s"],
])("nothing runs without %s, which would count and was not sent", async (path, bytes, mirror) => {
  const texts = path === "devfile.yaml" ? {} : { "devfile.yaml": devfile };
  await expect(preview(texts, { [path]: bytes }, mirror)).rejects.toMatchObject({
    code: "bad-input",
    message: expect.stringContaining(`${path} has 600000 bytes; of a folder, files of at most`),
  });
});

test("what would be too large in a repository, too, is refused in the same words", async () => {
  const large = preview({ "devfile.yaml": devfile }, { "k8s/a.yaml": 5_000_000 }, "k8s");
  await expect(large).rejects.toThrow("k8s/a.yaml has 5000000 bytes; at most 4194304 are read");
  await expect(preview({}, { "devfile.yaml": 2_000_000 })).rejects.toThrow(
    "devfile.yaml has 2000000 bytes; at most 1048576 are read",
  );
});
