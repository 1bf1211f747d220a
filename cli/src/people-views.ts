import { columns, type Look } from "./columns.ts";
import type {
  CredentialView,
  EnvironmentView,
  Me,
  PersonView,
  SessionView,
  VariableView,
} from "./wire.ts";
import { pairs } from "./text.ts";

/** ISO 8601 to the minute, as a person reads it; in UTC, as all times here. */
export function moment(at: string | null): string {
  return at === null ? "never" : at.slice(0, 16).replace("T", " ");
}

export function personLines(people: readonly PersonView[], look: Look): string[] {
  return columns(
    ["name", "role", "workspaces", "last seen", "id"],
    people.map(({ id, name, role, workspaces, lastSeenAt }) => {
      return [name, role, String(workspaces), moment(lastSeenAt), id];
    }),
    { look, whole: ["id", "name", "host"] },
  );
}

export function sessionLines(sessions: readonly SessionView[], look: Look): string[] {
  return columns(
    ["id", "kind", "name", "last used", "expires"],
    sessions.map(({ id, kind, name, lastUsedAt, expiresAt, current }) => {
      const used = current ? "now, by this" : moment(lastUsedAt);
      return [id, kind === "token" ? "loop" : "browser", name || "-", used, moment(expiresAt)];
    }),
    { look, whole: ["id", "name", "host"] },
  );
}

export function credentialLines(credentials: readonly CredentialView[], look: Look): string[] {
  if (credentials.length === 0) {
    return ["No credentials yet. Store one: loop credentials set github.com --username you"];
  }
  return columns(
    ["host", "username", "last used", "id"],
    credentials.map(({ id, host, username, lastUsedAt }) => {
      return [host, username, moment(lastUsedAt), id];
    }),
    { look, whole: ["id", "name", "host"] },
  );
}

export function environmentLines(environments: readonly EnvironmentView[], look: Look): string[] {
  if (environments.length === 0) {
    return ["No environments yet. Register one: loop environments add production DOCKER_HOST"];
  }
  return columns(
    ["name", "docker host", "project", "certificates"],
    environments.map(({ name, dockerHost, project, certificates }) => {
      return [name, dockerHost, project ?? "-", certificates ?? "-"];
    }),
    { look, whole: ["name", "docker host"] },
  );
}

export function variableLines(variables: readonly VariableView[], look: Look): string[] {
  if (variables.length === 0) {
    return ["No variables yet. Set one: loop variables set NAME=value"];
  }
  return columns(
    ["name", "value", "repositories", "id"],
    variables.map(({ id, name, value, pattern }) => {
      return [name, value ?? "(secret)", pattern, id];
    }),
    { look, whole: ["id", "name", "host"] },
  );
}

export function profileLines({ commitName, commitEmail, dotfilesUrl }: Me["profile"]): string[] {
  const unset = "(not set)";
  return pairs([
    ["name", commitName ?? unset],
    ["email", commitEmail ?? unset],
    ["dotfiles", dotfilesUrl ?? unset],
  ]);
}
