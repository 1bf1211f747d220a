import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { conformanceTable } from "../../helpers/conformance-list.ts";

const root = resolve(import.meta.dirname, "../../..");

/** The formatter pads columns, and writes an escape only where it is needed. */
const words = (text: string): string => text.replaceAll(/[\s\\-]+/g, "");

test("the page on ssh lists every conformance test by its name (`npm run docs` writes it)", () => {
  const page = readFileSync(resolve(root, "docs/ssh.md"), "utf8");
  const [, table] = /<!-- conformance -->([^]*)<!-- \/conformance -->/.exec(page) ?? [];
  expect(words(table ?? "")).toBe(words(conformanceTable(resolve(root, "test/conformance/ssh"))));
});

test("a name of each kind is in it: in a group, without one, with its cases", () => {
  const table = conformanceTable(resolve(root, "test/conformance/ssh"));
  expect(table).toContain(
    "| files | scp -O | takes a path of the home folder, also by its tilde |",
  );
  expect(table).toContain("| files |  | scp -3 copies from one workspace to another |");
  expect(table).toContain("| files | sftp, in a workspace of the bare image | goes on where ");
  expect(table).toContain("| forwarding | ssh -R | asked for 0.0.0.0, it listens on the loopback");
});
