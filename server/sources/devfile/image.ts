import { known, unknown } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import { parseImageReference } from "../../protocol/image-reference.ts";
import type { SourceImage } from "../../protocol/source-model.ts";
import type { Cursor, MapCursor } from "../yaml/cursor.ts";
import { quote } from "../yaml/source-text.ts";
import { readCheckout } from "./git-source.ts";
import type { Named } from "./model.ts";
import { checkUri, readKind } from "./values.ts";

const dockerfileKinds = ["uri", "devfileRegistry", "git"] as const;

/** Reads an `image` component; null where its shape is wrong, which its schema reported. */
export function readImage({ name, self }: { name: Named; self: MapCursor }): SourceImage | null {
  const imageName = self.get("imageName");
  const text = imageName?.string() ?? null;
  const dockerfile = self.get("dockerfile")?.map() ?? null;
  if (text !== null && parseImageReference(text) === null) {
    imageName?.error(
      "bad-image",
      `${quote(text)} is no name of an image: write one such as acme/tools:1.2.`,
    );
  }
  const place = dockerfile === null ? null : readPlace(dockerfile, self);
  if (imageName === null || text === null || dockerfile === null || place === null) return null;
  const context = dockerfile.get("buildContext");
  const args = dockerfile.get("args");
  const root = dockerfile.get("rootRequired");
  const autoBuild = self.get("autoBuild");
  return {
    name: name.text,
    imageName: imageName.fact(text),
    dockerfile: place,
    buildContext: known(context?.string() ?? null, (context ?? dockerfile).where),
    args: known(
      (args?.list() ?? []).flatMap((item) => item.string() ?? []),
      (args ?? dockerfile).where,
    ),
    rootRequired: known(root?.boolean() ?? false, (root ?? dockerfile).where),
    autoBuild: known(autoBuild?.boolean() ?? null, (autoBuild ?? self).where),
    where: name.at.where,
  };
}

function readPlace(dockerfile: MapCursor, self: MapCursor): SourceImage["dockerfile"] | null {
  const kind = readKind(dockerfile, dockerfileKinds);
  const at = kind === null ? null : dockerfile.get(kind);
  if (kind === null || at === null) return null;
  switch (kind) {
    case "uri": {
      const uri = at.string();
      if (uri === null) return null;
      checkUri(at);
      return at.fact({ kind, uri });
    }
    case "devfileRegistry":
      return readRegistry(at);
    case "git": {
      const git = at.map();
      const checkout = git === null ? null : readCheckout(git, { several: "refused", self });
      if (git === null || checkout === null) return null;
      const path = git.get("fileLocation")?.string() ?? "Dockerfile";
      return both(checkout, path, at);
    }
  }
}

function both(
  { url, revision }: { url: Fact<string>; revision: Fact<string | null> },
  path: string,
  at: Cursor,
): SourceImage["dockerfile"] {
  if (!url.known) return unknown(url.why, url.where);
  return at.fact({
    kind: "git",
    url: url.value,
    revision: revision.known ? revision.value : null,
    path,
  });
}

function readRegistry(at: Cursor): SourceImage["dockerfile"] | null {
  const map = at.map();
  const id = map?.get("id")?.string() ?? null;
  const url = map?.get("registryUrl") ?? null;
  if (url !== null) checkUri(url);
  if (id === null) return null;
  return at.fact({ kind: "registry", id, registryUrl: url?.string() ?? null });
}
