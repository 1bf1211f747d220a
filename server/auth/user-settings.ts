import type {
  CredentialRow,
  ProfileRow,
  UserSettingsStore,
  VariableRow,
} from "../db/user-settings.ts";
import { OneloopError } from "../protocol/errors.ts";
import type { CredentialView, VariableView } from "../protocol/workspace.ts";
import type { Clock } from "../util/clock.ts";
import type { Ids } from "../util/ids.ts";
import type { Vault } from "./vault.ts";

/** Names that a person's variable would break a workspace with, or that are Oneloop's own. */
const reservedVariables = /^(ONELOOP_|LD_|PROJECTS_ROOT$|PROJECT_SOURCE$|HOME$|PWD$|IFS$)/;
/** Linux takes 128 KiB for one variable with its name; beyond this it is a file, not a variable. */
const maxValueBytes = 64 * 1024;
/** More are no settings any more; they would be a load at every start. */
const maxVariables = 200;
const maxCredentials = 100;

/** A credential as git is given it. Never in an argument, a URL, a log or an event. */
export interface GitCredential {
  readonly username: string;
  readonly password: string;
}

/** What a person keeps for their workspaces: profile, credentials, variables. */
export class UserSettings {
  readonly #store: UserSettingsStore;
  readonly #vault: Vault;
  readonly #clock: Clock;
  readonly #ids: Ids;

  /** Called after a change that running workspaces shall know of. */
  onChange: ((userId: string) => void) | null = null;

  constructor(
    store: UserSettingsStore,
    { vault, clock, ids }: { vault: Vault; clock: Clock; ids: Ids },
  ) {
    this.#store = store;
    this.#vault = vault;
    this.#clock = clock;
    this.#ids = ids;
  }

  async profile(userId: string): Promise<ProfileRow> {
    const row = await this.#store.profile(userId);
    return row ?? { commitName: null, commitEmail: null, dotfilesUrl: null };
  }

  async setProfile(userId: string, change: Partial<ProfileRow>): Promise<ProfileRow> {
    await this.#store.setProfile(userId, change);
    this.onChange?.(userId);
    return this.profile(userId);
  }

  async listCredentials(userId: string): Promise<CredentialView[]> {
    return (await this.#store.credentials(userId)).map(credentialView);
  }

  /**
   * Stores what git needs for a host, in the place of what was stored for it before. A private key
   * is for ssh to that host, and stands beside a password or token for the web.
   *
   * @param given.host as in a URL, such as `github.com` or `git.example.org:8443`.
   */
  async setCredential(
    userId: string,
    given: { host: string; username: string; secret: string },
  ): Promise<CredentialView> {
    const secret = isPrivateKey(given.secret) ? wrappedKey(given.secret) : given.secret;
    if (!isPrivateKey(secret) && /\p{Cc}/u.test(secret)) {
      throw new OneloopError(
        "bad-input",
        "The secret has a line break or another control character. A password or token is one line; a private key begins with -----BEGIN.",
      );
    }
    const host = credentialHost(isPrivateKey(secret) ? "ssh" : "https", normalHost(given.host));
    const stored = await this.#store.credentials(userId);
    if (stored.length >= maxCredentials && !stored.some((row) => row.host === host)) {
      throw tooMany(maxCredentials, "credentials");
    }
    const row = await this.#store.setCredential({
      id: this.#ids.id(),
      userId,
      host,
      username: given.username,
      secret: this.#vault.seal(secret, credentialContext(userId, host)),
      createdAt: new Date(this.#clock.now()),
      lastUsedAt: null,
    });
    return credentialView(row);
  }

  async removeCredential(userId: string, id: string): Promise<void> {
    if (await this.#store.removeCredential(userId, id)) return;
    throw new OneloopError(
      "not-found",
      "There is no such credential. `loop credentials list` shows yours.",
    );
  }

  /**
   * For git; null where the person has stored none that this remote may see: a private key is for
   * ssh, and no web server is sent it; a password is for the web.
   *
   * @param remote.scheme in lower case, `ssh` for `user@host:path`, too.
   * @param remote.host with `:port`, unless it is the scheme's own.
   */
  async credentialFor(
    userId: string,
    { scheme, host }: { readonly scheme: string; readonly host: string },
  ): Promise<GitCredential | null> {
    const row = await this.#store.credential(userId, credentialHost(scheme, host.toLowerCase()));
    if (row === null) return null;
    const password = this.#vault.open(row.secret, credentialContext(userId, row.host));
    if (isPrivateKey(password) !== (scheme === "ssh")) return null;
    await this.#store.credentialUsed(row.id, new Date(this.#clock.now()));
    return { username: row.username, password };
  }

  /**
   * For a registry of images, which is a host like any other; Docker's own has two names.
   *
   * @param registry as an image reference has it, with its port.
   */
  async registryCredential(userId: string, registry: string): Promise<GitCredential | null> {
    const hosts = registry === "docker.io" ? ["docker.io", "index.docker.io"] : [registry];
    for (const host of hosts) {
      const remote = { scheme: "https", host: host.replace(/:443$/, "") };
      const found = await this.credentialFor(userId, remote);
      if (found !== null) return found;
    }
    return null;
  }

  async listVariables(userId: string): Promise<VariableView[]> {
    return (await this.#store.variables(userId)).map((row) => this.#variableView(row));
  }

  async setVariable(
    userId: string,
    given: { name: string; value: string; pattern: string; secret: boolean },
  ): Promise<VariableView> {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(given.name) || given.name.length > 200) {
      throw new OneloopError(
        "bad-input",
        `${JSON.stringify(given.name.slice(0, 50))} is no name of a variable: letters, digits and _ only, and no digit first.`,
      );
    }
    if (reservedVariables.test(given.name)) {
      throw new OneloopError("bad-input", `${given.name} is set by Oneloop itself.`);
    }
    if (Buffer.byteLength(given.value) > maxValueBytes || given.value.includes("\0")) {
      throw new OneloopError(
        "bad-input",
        `The value of ${given.name} is longer than ${maxValueBytes / 1024} KiB, or holds a NUL. Keep it in a file instead.`,
      );
    }
    const stored = await this.#store.variables(userId);
    const same = stored.some((row) => row.name === given.name && row.pattern === given.pattern);
    if (stored.length >= maxVariables && !same) throw tooMany(maxVariables, "variables");
    const context = variableContext(userId, given);
    const row = await this.#store.setVariable({
      id: this.#ids.id(),
      userId,
      name: given.name,
      pattern: given.pattern,
      value: this.#vault.seal(given.value, context),
      secret: given.secret,
    });
    this.onChange?.(userId);
    return this.#variableView(row);
  }

  async removeVariable(userId: string, id: string): Promise<void> {
    if (await this.#store.removeVariable(userId, id)) {
      this.onChange?.(userId);
      return;
    }
    throw new OneloopError(
      "not-found",
      "There is no such variable. `loop variables list` shows yours.",
    );
  }

  /**
   * The variables for workspaces of a repository. Of two patterns that fit, the one with more text
   * of its own wins.
   *
   * @param repository as `host/owner/repo`.
   * @throws OneloopError `conflict`, which names a variable that was stored under another key
   */
  async variablesFor(userId: string, repository: string): Promise<Record<string, string>> {
    const fitting = (await this.#store.variables(userId))
      .filter(({ pattern }) => fits(pattern, repository))
      .sort((a, b) => specificity(a.pattern) - specificity(b.pattern));
    return Object.fromEntries(
      fitting.map((row) => {
        const value = this.#readable(row);
        if (value !== null) return [row.name, value];
        throw new OneloopError(
          "conflict",
          `Your variable ${row.name} cannot be read: it was stored under another ONELOOP_SECRET_KEY. Store it again, or remove it (\`loop variables remove ${row.name}\`); then start the workspace.`,
        );
      }),
    );
  }

  /** Which of a repository's configurations the person chose; null where they were not asked. */
  configurationFor(userId: string, repository: string): Promise<string | null> {
    return this.#store.configurationChoice(userId, repository);
  }

  keepConfiguration(userId: string, choice: { repository: string; path: string }): Promise<void> {
    return this.#store.setConfigurationChoice({ userId, ...choice });
  }

  /** Null under another key: the list still shows which variable to store again. */
  #readable(row: VariableRow): string | null {
    try {
      return this.#vault.open(row.value, variableContext(row.userId, row));
    } catch {
      return null;
    }
  }

  #variableView(row: VariableRow): VariableView {
    const { id, name, pattern, secret } = row;
    return { id, name, pattern, secret, value: secret ? null : this.#readable(row) };
  }
}

/** Whether a repository fits a pattern: `*` stands for any text, all else for itself. Pure. */
export function fits(pattern: string, repository: string): boolean {
  const parts = pattern.toLowerCase().split("*");
  const text = repository.toLowerCase();
  const [first = "", ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  // From the left, each at its first place: no place further right could fit where this does not.
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

/**
 * The host under which a credential for a remote is stored. One for https is not sent in the clear
 * because somebody's URL says http: for that port 80 has to be named.
 */
function credentialHost(scheme: string, host: string): string {
  if (scheme === "ssh") return `ssh://${host.replace(/:22$/, "")}`;
  return scheme === "http" && !/:\d+$/.test(host) ? `${host}:80` : host;
}

function specificity(pattern: string): number {
  return pattern.replaceAll("*", "").length;
}

function isPrivateKey(secret: string): boolean {
  return secret.trimStart().startsWith("-----BEGIN ");
}

/**
 * A private key with its line breaks where ssh wants them: a form of one line takes them out of what
 * is pasted.
 *
 * @throws OneloopError `bad-input`
 */
function wrappedKey(secret: string): string {
  const match =
    /^\s*-----BEGIN ([A-Z ]*PRIVATE KEY)-----([A-Za-z0-9+/=\s]+)-----END \1-----\s*$/.exec(secret);
  if (match === null) {
    throw new OneloopError(
      "bad-input",
      "This is no private key that ssh reads: give the whole file, without a passphrase, from -----BEGIN to -----END.",
    );
  }
  const [, kind = "", body = ""] = match;
  const lines = body.replaceAll(/\s/g, "").match(/.{1,70}/g) ?? [];
  return [`-----BEGIN ${kind}-----`, ...lines, `-----END ${kind}-----`, ""].join("\n");
}

/** @throws OneloopError `bad-input` */
function normalHost(given: string): string {
  const text = given.trim().replace(/^[a-z]+:\/\//i, "");
  const url = URL.canParse(`https://${text}`) ? new URL(`https://${text}`) : null;
  if (url === null || url.username !== "" || url.pathname !== "/" || url.search !== "") {
    throw new OneloopError(
      "bad-input",
      "This is no host of a git server. Give it as in the repository's URL, such as github.com or git.example.org:8443.",
    );
  }
  return url.host;
}

function credentialContext(userId: string, host: string): string {
  return `credential:${userId}:${host}`;
}

function variableContext(userId: string, { name, pattern }: { name: string; pattern: string }) {
  return `variable:${userId}:${name}:${pattern}`;
}

function credentialView(row: CredentialRow): CredentialView {
  return {
    id: row.id,
    host: row.host,
    username: row.username,
    createdAt: row.createdAt.toISOString(),
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
  };
}

function tooMany(most: number, what: string): OneloopError {
  return new OneloopError("conflict", `You have ${most} ${what} already. Remove one first.`);
}
