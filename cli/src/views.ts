import { clean, pairs, shellWord, table } from "./text.ts";
import type {
  SshKeyView,
  UnsavedWork,
  WorkspaceDetail,
  WorkspaceEvent,
  WorkspaceSummary,
} from "./wire.ts";

/** The JSON of `list`, and without events of `open` and `show`: stable, for scripts. */
export function summaryJson(workspace: WorkspaceSummary) {
  const { id, name, state, url, repository, branch, commit, ssh } = workspace;
  return {
    id,
    name,
    state,
    url,
    repository,
    branch,
    commit,
    ssh: { host: ssh.host, port: ssh.port, user: ssh.user },
    ports: workspace.ports.map(({ port, protocol, visibility, url, process }) => {
      return { port, protocol, visibility, url, process };
    }),
    services: workspace.services.map(({ name, state, health, image, ports }) => {
      return { name, state, health, image, ports };
    }),
  };
}

/** The JSON of `open` and `show`. */
export function detailJson(workspace: WorkspaceDetail) {
  return { ...summaryJson(workspace), events: workspace.events.map(eventJson) };
}

function eventJson({ at, level, code, message, file, line, column }: WorkspaceEvent) {
  return {
    at,
    level,
    code,
    message,
    ...(file === undefined ? {} : { file }),
    ...(line === undefined ? {} : { line }),
    ...(column === undefined ? {} : { column }),
  };
}

export function keyJson({ id, name, fingerprint, type, createdAt }: SshKeyView) {
  return { id, name, fingerprint, type, createdAt };
}

export function listLines(workspaces: readonly WorkspaceSummary[]): string[] {
  if (workspaces.length === 0) return ["No workspaces yet. Open one: loop open <repository URL>"];
  return table(
    ["name", "state", "branch", "commit", "repository"],
    workspaces.map(({ name, state, branch, commit, repository }) => {
      return [name, state, branch ?? "-", commit.slice(0, 9), repository];
    }),
  );
}

/** Where to go with a workspace: web, ssh, the ports. */
export function placesLines(workspace: WorkspaceSummary): string[] {
  const { name, url, ssh, ports } = workspace;
  return pairs([
    ["web", url],
    ["ssh", `loop ssh ${shellWord(name)}`],
    ["", `ssh -p ${ssh.port} ${shellWord(`${ssh.user}@${ssh.host}`)}`],
    ...ports.map((port) => [`${port.name ?? "port"} ${port.port}`, port.url] as const),
  ]);
}

export function showLines(workspace: WorkspaceDetail): string[] {
  const { name, state, error, repository, branch, commit, services, events, leftOut } = workspace;
  return [
    ...pairs([
      ["name", name],
      ["state", state],
      ["error", error?.message ?? null],
      ["repository", repository],
      ["branch", branch],
      ["commit", commit],
    ]),
    ...placesLines(workspace),
    ...section(
      "Services",
      services.length === 0
        ? []
        : table(
            ["name", "state", "health", "image", "ports"],
            services.map(({ name, state, health, image, ports }) => {
              return [name, state, health ?? "-", image, ports.join(", ") || "-"];
            }),
          ),
    ),
    ...section(
      "Not supported yet",
      leftOut.map(({ what, why, where }) => clean(`${where}: ${what}: ${why}`)),
    ),
    ...section("Events", events.map(eventLine)),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", `${title}:`, ...lines.map((line) => `  ${line}`)];
}

export function eventLine({ at, level, message, file, line, column }: WorkspaceEvent): string {
  const place = file === undefined ? "" : `${file}:${line ?? 1}:${column ?? 1}: `;
  return clean(`${at}  ${level === "info" ? "" : `${level}: `}${place}${message}`);
}

export function keyLines(keys: readonly SshKeyView[]): string[] {
  if (keys.length === 0) return ["No SSH keys yet. Add yours: loop keys add"];
  return table(
    ["id", "name", "type", "fingerprint"],
    keys.map(({ id, name, type, fingerprint }) => [id, name, type, fingerprint]),
  );
}

/** What a delete would lose, for a person to decide. */
export function unsavedLines({ uncommitted, unpushed, stashes }: UnsavedWork): string[] {
  return [
    ...section("Uncommitted", uncommitted.map(clean)),
    ...section("Not pushed", unpushed.map(clean)),
    ...section("Stashes", stashes.map(clean)),
  ];
}
