import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { formatDiagnostic } from "../../../../server/protocol/errors.ts";
import * as keys from "../../../../server/sources/compose/keys.ts";
import { readHeroku } from "../../../../server/sources/heroku/read.ts";
import { read, readFiles } from "./reading.ts";

const page = readFileSync(resolve(import.meta.dirname, "../../../../docs/compose.md"), "utf8");

function examples(language: string): string[] {
  const blocks = page.matchAll(/^```(\w*)\n(.*?)^```$/gms);
  return Array.from(blocks, ([, of, text = ""]) => (of === language ? [text] : [])).flat();
}

const [compose = ""] = examples("yaml");

test("the page's compose file is read whole: nothing is wrong in it, and nothing left out", () => {
  const model = read(compose);
  expect(model.services.length).toBe(2);
  expect(model.leftOut).toEqual([]);
});

test("the mistake that the page shows looks as it says", () => {
  const result = readFiles(compose.replace("      db:", "      dbb:"));
  const [first] = result.ok ? [] : result.diagnostics;
  expect(page).toContain(first === undefined ? "no mistake" : formatDiagnostic(first));
});

test("the page's Heroku files are read whole", () => {
  const [json = ""] = examples("json");
  const procfile = examples("").find((text) => text.startsWith("release:")) ?? "";
  const result = readHeroku((path) => (path === "Procfile" ? procfile : json));
  expect(result.ok && result.warnings).toEqual([]);
  expect(result.ok && result.model.leftOut).toEqual([]);
  expect(result.ok && result.model.services.length).toBe(4);
});

test("the page names every attribute of a service that is read", () => {
  const named = Object.entries(keys.serviceKeys).filter(([, read]) => read === true);
  const missing = named.map(([name]) => name).filter((name) => !page.includes(`\`${name}`));
  // The first is a kind of device, the second says that there is no container.
  expect(missing).toEqual(["device_cgroup_rules", "provider"]);
});
