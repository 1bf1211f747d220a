import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fits } from "../../../server/auth/user-settings.ts";

describe("a variable's pattern", () => {
  test.each([
    ["*", "github.com/acme/shop", true],
    ["github.com/acme/*", "github.com/acme/shop", true],
    ["github.com/acme/*", "GitHub.com/ACME/Shop", true],
    ["github.com/acme/*", "github.com/acme-evil/shop", false],
    ["github.com/*/shop", "github.com/acme/shop", true],
    ["*/shop", "github.com/acme/shop2", false],
    ["github.com/acme/shop", "github.com/acme/shop", true],
    ["github.com/acme/shop", "github.com/acme/shop/x", false],
    // `.` is a dot.
    ["github.com/*", "githubxcom/acme/shop", false],
    ["a*a", "a", false],
    ["a*b*b", "ab", false],
    ["", "", true],
  ])("%j and %j: %j", (pattern, repository, fit) => {
    expect(fits(pattern, repository)).toBe(fit);
  });

  test("means what the regular expression of it means", () => {
    const text = fc.stringMatching(/^[ab*./]{0,8}$/);
    fc.assert(
      fc.property(text, fc.stringMatching(/^[ab./]{0,10}$/), (pattern, repository) => {
        const source = pattern.split("*").map((part) => part.replaceAll(/[./]/g, "\\$&"));
        expect(fits(pattern, repository)).toBe(
          new RegExp(`^${source.join(".*")}$`).test(repository),
        );
      }),
      { numRuns: 2000 },
    );
  });
});
