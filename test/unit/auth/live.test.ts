import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LiveConnections } from "../../../server/auth/live.ts";
import { Told } from "../../helpers/signals.ts";

let told: Told;
/** Which credentials the database still has; an error where it is away. */
let there: (ids: readonly string[]) => Promise<ReadonlySet<string>>;
let live: LiveConnections;
let closed: string[];

beforeEach(() => {
  told = new Told();
  closed = [];
  there = async (ids) => new Set(ids);
  live = new LiveConnections({
    revocations: { onRevoked: (listener) => told.listen(listener) },
    thoseThere: (ids) => there(ids),
    log: pino({ level: "silent" }),
    askEveryMs: 5,
  });
});

afterEach(() => live[Symbol.dispose]());

function connect(userId: string, credentialId: string): Disposable {
  return live.register({ userId, credentialId }, () => closed.push(`${userId} ${credentialId}`));
}

describe("what hangs on a sign-in", () => {
  test("is closed with its own session, token or key, and with nobody else's", () => {
    connect("ada", "laptop");
    connect("ada", "laptop");
    connect("ada", "phone");
    connect("bob", "desk");
    told.tell("laptop");
    expect(closed).toEqual(["ada laptop", "ada laptop"]);
    told.tell("laptop");
    expect(closed).toHaveLength(2);
  });

  test("is closed with its person", () => {
    connect("ada", "laptop");
    connect("ada", "phone");
    connect("bob", "desk");
    told.tell("ada");
    expect(closed.sort()).toEqual(["ada laptop", "ada phone"]);
  });

  test("is not closed when it has ended before", () => {
    const first = connect("ada", "laptop");
    connect("ada", "laptop");
    first[Symbol.dispose]();
    told.tell("laptop");
    expect(closed).toEqual(["ada laptop"]);
  });

  test("is closed at once when it was just being made", () => {
    told.tell("laptop");
    told.tell("bob");
    connect("ada", "laptop");
    connect("bob", "desk");
    connect("ada", "phone");
    expect(closed).toEqual(["ada laptop", "bob desk"]);
  });

  test("fires its signal", () => {
    const { signal } = live.signal({ userId: "ada", credentialId: "laptop" });
    expect(signal.aborted).toBe(false);
    told.tell("laptop");
    expect(signal.aborted).toBe(true);
  });

  test("is asked about after a gap: what is gone meanwhile is closed", async () => {
    const asked = new Promise<void>((resolve) => {
      there = async () => {
        resolve();
        return new Set(["phone"]);
      };
    });
    connect("ada", "laptop");
    connect("ada", "phone");
    told.tell(null);
    await asked;
    await new Promise(setImmediate);
    expect(closed).toEqual(["ada laptop"]);
  });

  test("is closed after a gap of which nobody can tell, and may come back", async () => {
    there = () => Promise.reject(new Error("the database is away"));
    connect("ada", "laptop");
    told.tell(null);
    await new Promise(setImmediate);
    expect(closed).toEqual(["ada laptop"]);
    connect("ada", "laptop");
    expect(closed).toHaveLength(1);
  });

  test("is closed when the time of its session is over, which nobody tells", async () => {
    const good = new Set(["laptop", "phone"]);
    there = async () => new Set(good);
    const ended = new Promise<void>((resolve) => {
      live.register({ userId: "ada", credentialId: "laptop" }, resolve);
    });
    connect("ada", "phone");
    good.delete("laptop");
    await ended;
    expect(closed).toEqual([]);
    connect("ada", "laptop");
    expect(closed).toEqual(["ada laptop"]);
  });

  test("goes on while nobody can be asked, where nothing that was told is missed", async () => {
    const asked = new Promise<void>((resolve) => {
      there = () => {
        resolve();
        return Promise.reject(new Error("the database is away"));
      };
    });
    connect("ada", "laptop");
    await asked;
    await new Promise(setImmediate);
    expect(closed).toEqual([]);
  });

  test("is left alone after the registry's end", () => {
    connect("ada", "laptop");
    live[Symbol.dispose]();
    told.tell("laptop");
    expect(closed).toEqual([]);
  });
});
