import { afterAll, beforeAll, expect, it } from "vitest";
import { GrantSigner } from "../../../server/auth/grants.ts";
import { cachePath } from "../../../server/repo/repositories.ts";
import { Supervisors } from "../../../server/terminals/supervisors.ts";
import { systemClock } from "../../../server/util/clock.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { cacheOwner, ConfinedGit } from "../../../server/workspaces/repository-cache.ts";
import type { Engine } from "../../../server/engine/engine.ts";
import { docker } from "../../helpers/engine-objects.ts";
import { containerOf, startTestEngine, step, type TestEngine } from "../../helpers/test-engine.ts";

const lifetime = new Lifetime();
let test: TestEngine;

beforeAll(async () => {
  test = lifetime.own(await startTestEngine());
});
afterAll(() => lifetime[Symbol.asyncDispose]());

it("a lock that a killed git left is gone at the next start, and one of this start is not", async () => {
  const signer = new GrantSigner("s".repeat(32), { clock: systemClock, ids: randomIds });
  const supervisors = new Supervisors(test.engine, signer);
  const start = async () => {
    const options = { helperImage: test.images.helper, publicKey: signer.publicKey };
    const git = new ConfinedGit(test.engine, supervisors, options);
    await git.ensureStarted();
  };
  const sh = async (script: string): Promise<string> => {
    using stream = await supervisors.exec(
      { owner: cacheOwner, actor: "test" },
      { argv: ["sh", "-c", script], cwd: cachePath },
    );
    const { stdout, exit } = await stream.collect();
    expect(exit.code).toBe(0);
    return stdout.toString("utf8");
  };
  await start();
  await sh(
    "mkdir -p a.git/refs/heads && touch -d '1 hour ago' a.git/shallow.lock a.git/refs/heads/x.lock",
  );
  await sh("touch a.git/packed-refs.lock a.git/refs/heads/x && touch -d '1 hour ago' a.git/config");
  await start();
  const left = await sh("find a.git -type f | sort");
  expect(left.trim().split("\n")).toEqual([
    "a.git/config",
    "a.git/packed-refs.lock",
    "a.git/refs/heads/x",
  ]);
});

it("a cache whose container ends again and again is named, not a workspace", async () => {
  const signer = new GrantSigner("s".repeat(32), { clock: systemClock, ids: randomIds });
  // As if its container died right after each start.
  const dying = new Proxy(test.engine, {
    get(target, name: keyof Engine) {
      if (name === "ensureMembers") {
        return async (...given: Parameters<Engine["ensureMembers"]>) => {
          const started = await target.ensureMembers(...given);
          await docker.getContainer(await containerOf(cacheOwner, "git")).remove({ force: true });
          return started;
        };
      }
      const member: unknown = target[name];
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
  const supervisors = new Supervisors(dying, signer);
  const options = { helperImage: test.images.helper, publicKey: signer.publicKey };
  const git = new ConfinedGit(dying, supervisors, options);
  const asked = git.run({ args: ["--version"], timeoutMs: 5000, signal: step().signal });
  await expect(asked).rejects.toMatchObject({ code: "engine-failed" });
  await expect(asked).rejects.toThrow(/repository cache/);
});
