import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { read, shown } from "./reading.ts";

const page = readFileSync(resolve(import.meta.dirname, "../../../docs/devfile.md"), "utf8");
const examples = Array.from(page.matchAll(/```yaml\n(.*?)```/gs), ([, text = ""]) => text);

test("every example of the page on devfiles is read whole: nothing is wrong in it", () => {
  expect(examples.length).toBe(6);
  // The last one has the first as its parent.
  const others = { "stacks/node.yaml": examples[0] ?? "" };
  const leftOut = examples.flatMap((text) => read(text, others).leftOut.map(({ what }) => what));
  expect(leftOut).toEqual([]);
});

test("the mistake that the page shows looks as it says", () => {
  const [first = ""] = examples;
  expect(page).toContain(shown(first.replace("node:{{node}}", "node:{{ndoe}}")).join("\n"));
});
