import { expect, it } from "vitest";
import type { ChangeListener } from "../../../server/db/database.ts";
import type { WorkspaceRow } from "../../../server/db/workspaces.ts";
import { OwnChanges } from "../../../server/workspaces/own-changes.ts";

const owners: Readonly<Record<string, string>> = { a1: "ada", a2: "ada", b1: "bob" };

function made(everyMs: number) {
  const listeners = new Set<ChangeListener>();
  const asked: string[] = [];
  const changes = new OwnChanges({
    everyMs,
    database: {
      onChange(listener) {
        listeners.add(listener);
        return { [Symbol.dispose]: () => listeners.delete(listener) };
      },
    },
    store: {
      byId: (id) => {
        asked.push(id);
        const ownerId = owners[id];
        return Promise.resolve(ownerId === undefined ? null : ({ id, ownerId } as WorkspaceRow));
      },
    },
  });
  const tell = (id: string | null): void => listeners.forEach((listener) => listener(id));
  return { changes, asked, tell, listeners };
}

/** Turns of the loop in which whatever was told has arrived. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

it("wakes for a person's own workspaces only, and asks once whose each is", async () => {
  const { changes, asked, tell, listeners } = made(0);
  const stop = new AbortController();
  const woken = { ada: 0, bob: 0, bobToo: 0 };
  const count = async (name: keyof typeof woken, user: string): Promise<void> => {
    for await (const _change of changes.of(user, stop.signal)) woken[name] += 1;
  };
  const all = [count("ada", "ada"), count("bob", "bob"), count("bobToo", "bob")];
  await settled();
  expect(woken).toEqual({ ada: 1, bob: 1, bobToo: 1 });
  for (const [told, id] of ["a1", "a2", "a1"].entries()) {
    tell(id);
    await expect.poll(() => woken.ada).toBe(told + 2);
  }
  expect(woken).toMatchObject({ bob: 1, bobToo: 1 });
  expect(asked).toEqual(["a1", "a2"]);
  // After a gap, and for one that is gone and was never heard of, everybody looks.
  tell(null);
  await expect.poll(() => woken).toEqual({ ada: 5, bob: 2, bobToo: 2 });
  tell("gone");
  await expect.poll(() => woken).toEqual({ ada: 6, bob: 3, bobToo: 3 });
  stop.abort();
  await Promise.all(all);
  expect(listeners.size).toBe(0);
});

it("many changes at a time are one", async () => {
  const { changes, tell } = made(100);
  const stop = new AbortController();
  const own = changes.of("ada", stop.signal);
  await own.next();
  for (let change = 0; change < 50; change += 1) {
    tell("a1");
    await settled();
  }
  await own.next();
  const another = own.next();
  const first = await Promise.race([another, settled().then(() => "nothing more")]);
  expect(first).toBe("nothing more");
  stop.abort();
  await another;
});
