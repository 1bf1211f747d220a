import { clean } from "../../server/protocol/text.ts";
import { columns, stateColour, type Look } from "./columns.ts";
import { pairs, shellWord } from "./text.ts";
import type {
  ServiceSetting,
  SshKeyView,
  UnsavedWork,
  WorkspaceDetail,
  WorkspaceEvent,
  WorkspacePort,
  WorkspaceServiceView,
  WorkspaceSummary,
} from "./wire.ts";

/** The JSON of `list`, and without events of `open` and `show`: stable, for scripts. */
export function summaryJson(workspace: WorkspaceSummary) {
  const { id, name, state, url, repository, branch, ref, commit, behind, work, ssh } = workspace;
  return {
    id,
    name,
    state,
    url,
    repository,
    branch,
    ref,
    commit,
    behind,
    work,
    ssh: { host: ssh.host, port: ssh.port, user: ssh.user },
    ports: workspace.ports.map(portJson),
    services: workspace.services.map(serviceJson),
  };
}

export function serviceJson(view: WorkspaceServiceView) {
  const { name, state, health, image, ports, mirrored, built, restarts, reason, since } = view;
  return { name, state, health, image, ports, mirrored, built, restarts, reason, since };
}

/** The JSON of `open` and `show`. */
export function detailJson(workspace: WorkspaceDetail) {
  return {
    ...summaryJson(workspace),
    events: workspace.events.map(eventJson),
    leftOut: workspace.leftOut,
  };
}

export function eventJson({ at, level, code, message, file, line, column }: WorkspaceEvent) {
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

export function listLines(workspaces: readonly WorkspaceSummary[], look: Look): string[] {
  if (workspaces.length === 0) return ["No workspaces yet. Open one: loop open <repository URL>"];
  return columns(
    ["name", "state", "branch", "commit", "repository"],
    workspaces.map(({ name, state, branch, commit, repository }) => {
      return [name, state, branch ?? "-", commit.slice(0, 9), repository];
    }),
    { look, whole: ["name"], colourOf: { column: "state", of: stateColour } },
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

/** What `git pull` would bring, and what is only here; null where there is nothing to say. */
export function behindText({ behind }: Pick<WorkspaceSummary, "behind">): string | null {
  if (behind === null || behind === 0) return null;
  return `${count(behind, "commit")} behind: \`git pull\` in it brings ${behind === 1 ? "it" : "them"}`;
}

function workText({ work }: WorkspaceSummary): string | null {
  if (work === null) return null;
  const parts = [
    ...(work.uncommitted > 0 ? [`${count(work.uncommitted, "file")} not committed`] : []),
    ...(work.unpushed > 0 ? [`${count(work.unpushed, "commit")} not pushed`] : []),
    ...(work.stashes > 0 ? [work.stashes === 1 ? "1 stash" : `${work.stashes} stashes`] : []),
  ];
  return parts.length === 0 ? null : parts.join(", ");
}

export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

export function showLines(workspace: WorkspaceDetail, look: Look): string[] {
  const { name, state, error, repository, branch, commit, services, events, leftOut } = workspace;
  return [
    ...pairs([
      ["name", name],
      ["state", state],
      ["error", error?.message ?? null],
      ["repository", repository],
      ["branch", branch],
      ["commit", commit],
      ["behind", behindText(workspace)],
      ["only here", workText(workspace)],
    ]),
    ...placesLines(workspace),
    ...section("Services", services.length === 0 ? [] : serviceLines(services, indented(look))),
    ...section(
      "Not supported yet",
      leftOut.map(({ what, why, where }) => clean(`${where}: ${what}: ${why}`)),
    ),
    ...section("Events", events.map(eventLine)),
  ];
}

/** A section's lines stand two columns to the right. */
function indented(look: Look): Look {
  return { ...look, width: look.width === null ? null : look.width - 2 };
}

export function serviceLines(services: WorkspaceSummary["services"], look: Look): string[] {
  if (services.length === 0) return ["No services."];
  const explained = services.some(({ reason }) => reason !== null);
  return columns(
    ["name", "state", "health", "restarts", "ports", ...(explained ? ["reason"] : [])],
    services.map(({ name, state, health, restarts, ports, reason }) => {
      const why = explained ? [reason ?? "-"] : [];
      return [name, state, health ?? "-", String(restarts), ports.join(", ") || "-", ...why];
    }),
    { look, whole: ["name"], colourOf: { column: "state", of: stateColour } },
  );
}

/** One service in full, and every setting of it with the lines that it comes from. */
export function serviceDetailLines(
  service: WorkspaceServiceView,
  settings: readonly ServiceSetting[],
): string[] {
  const { name, state, health, image, ports, restarts, reason, since } = service;
  return [
    ...pairs([
      ["name", name],
      ["state", state],
      ["since", since],
      ["health", health],
      ["restarts", String(restarts)],
      ["reason", reason],
      ["image", image],
      ["ports", ports.join(", ") || null],
    ]),
    ...section(
      "Settings",
      settings.flatMap(({ name: setting, value, where }) => [
        clean(`${setting}: ${value}`),
        ...where.map((place) => clean(`    ${place}`)),
      ]),
    ),
  ];
}

export function portLines(ports: readonly WorkspacePort[], look: Look): string[] {
  if (ports.length === 0) return ["No ports: nothing listens, and the devfile names none."];
  const alone = ports.some(({ service }) => service !== null);
  return columns(
    ["port", ...(alone ? ["service"] : []), "name", "open", "visible to", "url"],
    ports.map(({ port, service, name, listening, visibility, url }) => {
      // Of a service that stands alone nobody knows.
      const open = service === null ? (listening ? "yes" : "no") : "-";
      const owner = alone ? [service ?? "-"] : [];
      return [String(port), ...owner, name ?? "-", open, visibility, url];
    }),
    {
      look,
      whole: ["url"],
      colourOf: { column: "visible to", of: (cell) => (cell === "public" ? "yellow" : null) },
    },
  );
}

export function portJson(view: WorkspacePort) {
  const { port, protocol, visibility, url, process, name, service, listening } = view;
  return { port, protocol, visibility, url, process, name, service, listening };
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", `${title}:`, ...lines.map((line) => `  ${line}`)];
}

export function eventLine({ at, level, message, file, line, column }: WorkspaceEvent): string {
  const place = file === undefined ? "" : `${file}:${line ?? 1}:${column ?? 1}: `;
  return clean(`${at}  ${level === "info" ? "" : `${level}: `}${place}${message}`);
}

export function keyLines(keys: readonly SshKeyView[], look: Look): string[] {
  if (keys.length === 0) return ["No SSH keys yet. Add yours: loop keys add"];
  return columns(
    ["id", "name", "type", "fingerprint"],
    keys.map(({ id, name, type, fingerprint }) => [id, name, type, fingerprint]),
    { look, whole: ["id"] },
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
