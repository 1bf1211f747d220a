import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Vault } from "../../../server/auth/vault.ts";
import { OneloopError } from "../../../server/protocol/errors.ts";

const key = "k".repeat(32);
const vault = new Vault(key);

function failureOf(run: () => unknown): OneloopError {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof OneloopError) return thrown;
    throw thrown;
  }
  throw new Error("it did not fail");
}

describe("a stored secret", () => {
  test("comes back as it was, under its own context only", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string(), fc.string(), (text, own, other) => {
        const sealed = vault.seal(text, own);
        expect(new Vault(key).open(sealed, own)).toBe(text);
        if (own !== other) expect(() => vault.open(sealed, other)).toThrow(OneloopError);
      }),
    );
  });

  test("is sealed anew each time, and nothing of it can be read or changed", () => {
    const sealed = vault.seal("canary-canary", "a");
    expect(sealed.equals(vault.seal("canary-canary", "a"))).toBe(false);
    expect(sealed.toString("latin1")).not.toContain("canary");
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => vault.open(changed, "a")).toThrow(OneloopError);
    }
    for (const short of [Buffer.alloc(0), sealed.subarray(0, 20), sealed.subarray(0, -1)]) {
      expect(() => vault.open(short, "a")).toThrow(OneloopError);
    }
  });

  test("of another secret key is an error that says what to do, without the secret", () => {
    const sealed = vault.seal("canary-canary", "canary-context");
    const failure = failureOf(() => new Vault("other".repeat(8)).open(sealed, "canary-context"));
    expect(failure.message).toContain("ONELOOP_SECRET_KEY");
    expect(`${failure.stack} ${String(failure.cause)}`).not.toContain("canary");
  });
});
