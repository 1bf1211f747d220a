import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { codes } from "../../../server/drift/codes.ts";
import { readLock } from "../../../server/drift/lock.ts";

const page = readFileSync(resolve(import.meta.dirname, "../../../docs/drift.md"), "utf8");

test("the page has every code in the line of its class", () => {
  for (const [code, { class: of }] of Object.entries(codes)) {
    const line = page.split("\n").find((each) => each.startsWith(`| \`${of}\``)) ?? "";
    expect(line).toContain(`\`${code}\``);
  }
});

test("the page's lock is read", () => {
  const [, text = ""] = /```yaml\n(.*?)```/s.exec(page) ?? [];
  expect(readLock(text)).toMatchObject({ ok: true, entries: [{ finding: "memory-limit:web" }] });
});
