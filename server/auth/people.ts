import type { AccountStore, UserRow } from "../db/accounts.ts";
import { OneloopError } from "../protocol/errors.ts";
import type { PersonView, SessionView } from "../protocol/workspace.ts";
import type { Clock } from "../util/clock.ts";
import type { Ids } from "../util/ids.ts";
import type { Accounts, SignedIn } from "./accounts.ts";

/** Who may sign in, and where each person is signed in. */
export class People {
  readonly #store: AccountStore;
  readonly #accounts: Accounts;
  readonly #clock: Clock;
  readonly #ids: Ids;

  constructor(
    store: AccountStore,
    { accounts, clock, ids }: { accounts: Accounts; clock: Clock; ids: Ids },
  ) {
    this.#store = store;
    this.#accounts = accounts;
    this.#clock = clock;
    this.#ids = ids;
  }

  async list(actor: SignedIn): Promise<PersonView[]> {
    mustOwn(actor);
    return (await this.#store.people()).map(({ user, workspaces, lastSeenAt }) => ({
      id: user.id,
      name: user.name,
      role: user.role,
      createdAt: user.createdAt.toISOString(),
      workspaces,
      lastSeenAt: lastSeenAt?.toISOString() ?? null,
    }));
  }

  /**
   * Adds a person.
   *
   * @returns a one-time code that signs them in.
   * @throws OneloopError `conflict` when the name is taken, `bad-input` when it is no name.
   */
  async add(actor: SignedIn, name: string): Promise<{ id: string; code: string }> {
    mustOwn(actor);
    if (!/^[a-z0-9]+([._-][a-z0-9]+)*$/.test(name) || name.length > 40) {
      throw new OneloopError(
        "bad-input",
        "A person's name is of small letters, digits, and single . _ - between them; at most 40.",
      );
    }
    const user = await this.#store.addUser({ id: this.#ids.id(), name, role: "member" });
    if (user === null) throw new OneloopError("conflict", `There is a person named ${name}.`);
    return { id: user.id, code: await this.#accounts.issueCode(user.id, "link") };
  }

  /** Another one-time code for somebody who lost all their devices. */
  async invite(actor: SignedIn, nameOrId: string): Promise<{ code: string }> {
    mustOwn(actor);
    const user = await this.#find(nameOrId);
    return { code: await this.#accounts.issueCode(user.id, "link") };
  }

  /**
   * Removes a person with their keys, sessions, credentials and variables.
   *
   * @throws OneloopError `conflict` while they have workspaces: nobody's work is lost by this.
   */
  async remove(actor: SignedIn, nameOrId: string): Promise<void> {
    mustOwn(actor);
    const user = await this.#find(nameOrId);
    if (user.role === "owner") throw new OneloopError("conflict", "The owner cannot be removed.");
    if (!(await this.#store.removeUser(user.id))) {
      throw new OneloopError(
        "conflict",
        `${user.name} has workspaces. They, or somebody at their sign-in, must delete them first: the work in them may be nowhere else.`,
      );
    }
  }

  async sessions(actor: SignedIn): Promise<SessionView[]> {
    const rows = await this.#store.tokensOf(actor.id, new Date(this.#clock.now()));
    return rows.map((row) => ({
      id: row.id,
      kind: row.kind,
      name: row.name,
      createdAt: row.createdAt.toISOString(),
      lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
      expiresAt: row.expiresAt.toISOString(),
      current: row.id === actor.tokenId,
    }));
  }

  /** @throws OneloopError `not-found` for another person's as for none. */
  async revoke(actor: SignedIn, id: string): Promise<void> {
    if (await this.#accounts.revoke(actor.id, id)) return;
    throw new OneloopError("not-found", "There is no such session or token.");
  }

  async #find(nameOrId: string): Promise<UserRow> {
    const user = await this.#store.findUser(nameOrId);
    if (user !== null) return user;
    throw new OneloopError("not-found", "There is no such person. `loop users list` shows all.");
  }
}

function mustOwn(actor: SignedIn): void {
  if (actor.role === "owner") return;
  throw new OneloopError("forbidden", "Only the owner of this installation can do this.");
}
