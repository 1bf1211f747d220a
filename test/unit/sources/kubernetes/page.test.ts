import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { formatDiagnostic } from "../../../../server/protocol/errors.ts";
import { kinds } from "../../../../server/sources/kubernetes/kinds.ts";
import { readKubernetes } from "../../../../server/sources/kubernetes/read.ts";
import { read } from "./reading.ts";

const page = readFileSync(resolve(import.meta.dirname, "../../../../docs/kubernetes.md"), "utf8");
const [example = ""] = Array.from(page.matchAll(/```yaml\n(.*?)```/gs), ([, text]) => text ?? "");

test("the page's example is read whole", () => {
  expect(read(example).leftOut).toEqual([]);
});

test("the mistake that the page shows looks as it says", () => {
  const wrong = example.replace("---\n", "      ports:\n        - containerPort: 80\n---\n");
  const result = readKubernetes([{ path: "web.yaml", text: wrong }]);
  const [first] = result.ok ? [] : result.diagnostics;
  expect(first && page.includes(formatDiagnostic(first))).toBe(true);
});

test("the page names every kind that is read", () => {
  for (const kind of Object.keys(kinds)) expect(page).toContain(kind);
});
