import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseGitmodules, resolveSubmoduleUrl } from "../../../server/repo/submodules.ts";

describe("parseGitmodules", () => {
  it("reads names with dots, and leaves out what is no submodule", () => {
    const text = [
      "submodule.a.b.path\nvendor/a",
      "submodule.a.b.url\n../a.git",
      "submodule.a.b.update\n!touch /tmp/x",
      "submodule.only-url.url\nhttps://example.org/x.git",
      "core.bare\ntrue",
      "",
    ].join("\0");
    expect(parseGitmodules(text)).toEqual([{ name: "a.b", path: "vendor/a", url: "../a.git" }]);
  });

  it("of two values the last one counts", () => {
    const text = "submodule.a.path\np\0submodule.a.url\nfirst\0submodule.a.url\nsecond\0";
    expect(parseGitmodules(text)).toEqual([{ name: "a", path: "p", url: "second" }]);
  });
});

describe("resolveSubmoduleUrl", () => {
  it.each([
    ["https://h.example/o/app.git", "../lib.git", "https://h.example/o/lib.git"],
    ["https://h.example/o/app.git/", "../lib.git", "https://h.example/o/lib.git"],
    ["https://h.example/o/app.git", "../../x/lib.git", "https://h.example/x/lib.git"],
    ["https://h.example/o/app.git", "./lib.git", "https://h.example/o/app.git/lib.git"],
    ["git@h.example:o/app.git", "../lib.git", "git@h.example:o/lib.git"],
    ["git@h.example:app.git", "../lib.git", "git@h.example:lib.git"],
    ["file:///srv/app.git", "../lib.git", "file:///srv/lib.git"],
    ["https://h.example/o/app.git", "https://other.example/x.git", "https://other.example/x.git"],
  ])("%s and %s give %s", (parent, url, expected) => {
    expect(resolveSubmoduleUrl(parent, url)).toBe(expected);
  });

  it("never leaves the host of the repository around it", () => {
    const parent = "https://h.example/o/app.git";
    expect(resolveSubmoduleUrl(parent, "../../../evil.example/x")).toBeNull();
    const step = fc.constantFrom("../", "./");
    const name = fc.stringMatching(/^[a-z]{1,5}$/);
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), name, (steps, last) => {
        const resolved = resolveSubmoduleUrl(parent, steps.join("") + last);
        expect(resolved === null || resolved.startsWith("https://h.example/")).toBe(true);
      }),
    );
  });
});
