import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../../..");
const planner = join(root, "server/plan/plan.ts");

/** Every source of the product. */
function sources(): string[] {
  return ["server", "cli/src", "web/src", "workspace-image"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((path) => /\.(?:tsx?|js)$/.test(path) && !path.includes("node_modules"))
      .map((path) => join(root, folder, path)),
  );
}

/** The files that a text imports something that runs from: types are gone before that. */
function imported(text: string, from: string): string[] {
  const specifiers = text.matchAll(
    /^\s*(?:import|export)\s+(?!type\b)[^"';]*?from\s+["']([^"']+)["']|import\(\s*["']([^"']+)["']/gm,
  );
  return Array.from(specifiers, ([, fixed, later]) => resolve(from, "..", fixed ?? later ?? ""));
}

test("one file asks the planner: what a preview shows is what an open runs", () => {
  const askers = sources().filter((path) =>
    imported(readFileSync(path, "utf8"), path).includes(planner),
  );
  expect(askers.map((path) => relative(root, path))).toEqual(["server/workspaces/preview.ts"]);
});

test.each([
  ['import { plan } from "../plan/plan.ts";', 1],
  ['import {\n  type PlanChoices,\n  plan,\n} from "../plan/plan.ts";', 1],
  ['export * from "../plan/plan.ts";', 1],
  ['const { plan } = await import("../plan/plan.ts");', 1],
  ['import type { PlanChoices } from "../plan/plan.ts";', 0],
  ['import { planProjects } from "../plan/projects.ts";', 0],
])("what asks it is seen: %s", (text, count) => {
  const found = imported(text, join(root, "server/api/x.ts"));
  expect(found.filter((path) => path === planner).length).toBe(count);
});
