import { expect, test } from "vitest";
import { mirrorRequest } from "../../../cli/src/mirror-options.ts";
import { previewLines } from "../../../cli/src/preview-lines.ts";
import type { Preview } from "../../../server/protocol/preview.ts";
import { planOf, service } from "../../helpers/plans.ts";

test("what is unsaid is not sent: the devfile says it then", () => {
  expect(mirrorRequest({})).toEqual({});
  expect(mirrorRequest({ mirror: "k8s" })).toEqual({ mirror: "k8s" });
  expect(mirrorRequest({ mirror: "none" })).toEqual({ mirror: null });
  expect(mirrorRequest({ mirror: "k8s", develop: "front-end, api," })).toEqual({
    mirror: "k8s",
    develop: ["front-end", "api"],
  });
});

test("a plan says what is mirrored, or what could be", () => {
  const plan = planOf([service("web")]);
  const preview: Preview = {
    ...{ repository: null, ref: null, commit: null, existing: null, parts: [], leftOut: [] },
    configuration: { kind: "devfile", path: "devfile.yaml", text: "", summary: [] },
    choices: [],
    chosen: false,
    offered: ["k8s/", "compose.yaml"],
    plan,
  };
  expect(previewLines(preview)).toContain(
    "Production is in k8s/, compose.yaml: `--mirror k8s/` runs it around this",
  );
  const mirror = { source: "k8s/", develops: ["web"], secrets: [] };
  const lines = previewLines({ ...preview, offered: [], plan: { ...plan, mirror } });
  expect(lines).toContain("Production: k8s/; you develop web");
  expect(previewLines({ ...preview, offered: [] }).join("\n")).not.toContain("Production");
});
