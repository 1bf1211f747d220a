import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  isOwnImage,
  parseImageReference,
  type ImageReference,
} from "../../../server/protocol/image-reference.ts";

const sha256 = `sha256:${"0123456789abcdef".repeat(4)}`;

describe("an image reference", () => {
  const said: readonly [string, Partial<ImageReference>][] = [
    ["node", { registry: "docker.io", repository: "library/node", tag: null, digest: null }],
    ["node:20", { registry: "docker.io", repository: "library/node", tag: "20" }],
    ["docker.io/node:20", { registry: "docker.io", repository: "library/node", tag: "20" }],
    ["index.docker.io/library/node", { registry: "docker.io", repository: "library/node" }],
    ["acme/b__c.v2/x--y:1.2-rc_3", { repository: "acme/b__c.v2/x--y", tag: "1.2-rc_3" }],
    ["quay.io/devfile/image:ubi8-latest", { registry: "quay.io", tag: "ubi8-latest" }],
    ["localhost:5000/a", { registry: "localhost:5000", repository: "a", tag: null }],
    ["localhost/a", { registry: "localhost", repository: "a" }],
    ["Registry.Example:5000/a/b", { registry: "Registry.Example:5000", repository: "a/b" }],
    ["[fd00::1]:5000/a", { registry: "[fd00::1]:5000", repository: "a", tag: null }],
    [`a:1@${sha256}`, { repository: "library/a", tag: "1", digest: sha256 }],
    [`ghcr.io/a/b@${sha256}`, { registry: "ghcr.io", tag: null, digest: sha256 }],
  ];
  it.each(said)("%s", (text, parts) => {
    expect(parseImageReference(text)).toMatchObject(parts);
  });

  it.each([
    "",
    " node",
    "node\n",
    "-node",
    "get?names=oneloop/workspace:latest&x=",
    "../version?x=",
    "..",
    "a/../b",
    "a/./b",
    "a//b",
    "/a",
    "a/",
    "a#b",
    "a%2e",
    "a=b",
    "a:b:c",
    "a:",
    "a@",
    "a@sha256:0123",
    `a@${sha256}@${sha256}`,
    "a@sha256:../../x",
    "Node",
    "acme/Tools",
    "a..b",
    "a.",
    "a___b",
    "{{image}}",
    "host..name/a",
    "host:port/a",
    "ïmage",
    "a".repeat(256),
    `a:${"b".repeat(129)}`,
  ])("is not %j", (text) => {
    expect(parseImageReference(text)).toBeNull();
  });

  it("stands alone in the path of a URL, whatever it is made of", () => {
    const pieces = [
      ...Array.from("ab0/.:@-_?#%&=+ \\\t\n\u00e9"),
      "..",
      "//",
      "sha256:",
      "get",
      "[",
      "]",
      sha256,
    ];
    const noise = fc
      .array(fc.constantFrom(...pieces), { maxLength: 12 })
      .map((all) => all.join(""));
    fc.assert(
      fc.property(fc.oneof(noise, fc.string(), fc.string({ unit: "binary" })), (text) => {
        if (parseImageReference(text) === null) return;
        const url = new URL(`http://engine/images/${text}/json`);
        expect(url.pathname).toBe(`/images/${text}/json`);
        expect(url.search + url.hash).toBe("");
        expect(encodeURI(text).replaceAll(/%5[BD]/g, "")).toBe(text.replaceAll(/[[\]]/g, ""));
      }),
      { numRuns: 3000 },
    );
  });

  it("keeps all of what a well-formed one says", () => {
    const part = fc.stringMatching(/^[a-z0-9]{1,8}([._-][a-z0-9]{1,8}){0,2}$/);
    const registry = fc.stringMatching(/^[a-z0-9]{1,8}\.[a-z]{2,5}(:[1-9][0-9]{1,4})?$/);
    const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/);
    const digest = fc.constant(sha256);
    const whole = fc.record({
      registry,
      parts: fc.array(part, { minLength: 2, maxLength: 4 }),
      tag: fc.option(tag),
      digest: fc.option(digest),
    });
    fc.assert(
      fc.property(whole, ({ registry, parts, tag, digest }) => {
        fc.pre(registry !== "index.docker.io");
        const repository = parts.join("/");
        const text = [registry, "/", repository, tag && `:${tag}`, digest && `@${digest}`];
        expect(parseImageReference(text.join(""))).toEqual({ registry, repository, tag, digest });
      }),
    );
  });
});

describe("an image of Oneloop's own", () => {
  it.each([
    ["oneloop/helper:0123456789ab", true],
    ["docker.io/oneloop/helper:0123456789ab", true],
    ["index.docker.io/oneloop/helper", true],
    [`docker.io/oneloop/helper@${sha256}`, true],
    ["ghcr.io/oneloop/helper", false],
    ["oneloop", false],
    ["oneloops/helper", false],
    ["acme/oneloop/helper", false],
  ])("%s: %s", (text, own) => {
    const reference = parseImageReference(text);
    expect(reference !== null && isOwnImage(reference)).toBe(own);
  });
});
