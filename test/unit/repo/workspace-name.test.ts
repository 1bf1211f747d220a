import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { workspaceName } from "../../../server/repo/workspace-name.ts";

describe("a workspace's name", () => {
  test.each([
    ["govapp", "main", "govapp-main-bcd"],
    ["govapp", null, "govapp-bcd"],
    ["GovApp", "Feature/Log_in", "govapp-feature-log-in-bcd"],
    ["a-rather-long-repository", "and-a-long-branch", "a-rather-long-a-long-branch-bcd"],
    ["3000", "main", "w3000-main-bcd"],
    ["3000", null, "w3000-bcd"],
    ["2fa", "main", "2fa-main-bcd"],
    ["日本", null, "workspace-bcd"],
  ])("of %s at %s is %s", (repo, branch, name) => {
    expect(workspaceName(repo, branch, "bcd")).toBe(name);
  });

  test("is always a DNS label of at most 32 characters that cannot be taken for a port", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: fc.constantFrom(..."ab09-_/.".split("")), maxLength: 60 }),
      fc.stringMatching(/^\d{1,40}$/),
    );
    const letters = fc.stringMatching(/^[a-z]{3}$/);
    fc.assert(
      fc.property(text, fc.option(text), letters, (repo, branch, end) => {
        const name = workspaceName(repo, branch, end);
        expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
        expect(name.length).toBeLessThanOrEqual(32);
        expect(name).not.toMatch(/^\d+-/);
        expect(name.endsWith(`-${end}`)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
