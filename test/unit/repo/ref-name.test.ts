import * as fc from "fast-check";
import { expect, test } from "vitest";
import { isRefName, shortRef } from "../../../server/repo/ref-name.ts";
import { git } from "../../helpers/git.ts";

/** What git itself says. */
async function gitTakes(name: string): Promise<boolean> {
  return git("/", "check-ref-format", `refs/heads/${name}`).then(
    () => true,
    () => false,
  );
}

test("a ref's name is one that git takes, but for those in which something is hidden", async () => {
  const unit = fc.constantFrom(
    ...Array.from("ab./-~^:?*[@{} \\"),
    "..",
    ".lock",
    "@{",
    "é",
    "//",
    "\u007f",
  );
  await fc.assert(
    fc.asyncProperty(fc.string({ unit, minLength: 1, maxLength: 4 }), async (name) => {
      // git normalizes none of these away, and knows "@" only as a whole name.
      const taken = !name.startsWith("-") && name !== "@" && (await gitTakes(name));
      expect(isRefName(name)).toBe(taken);
    }),
    { numRuns: 150 },
  );
});

test.each(["x\u202ey", "x\u009b2J", "x\u2028y", "-x", ""])("%j is no ref's name", (name) => {
  expect(isRefName(name)).toBe(false);
});

test.each([
  ["refs/heads/feature/x", "feature/x"],
  ["refs/tags/v1", "v1"],
  ["refs/pull/5/head", "pull-5"],
  ["refs/merge-requests/5/head", "merge-requests-5"],
  ["refs/pull-requests/5/from", "pull-requests-5"],
])("%s is called %s in a workspace's name", (ref, short) => {
  expect(shortRef(ref)).toBe(short);
});
