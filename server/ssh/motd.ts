import { clean, columns } from "../protocol/text.ts";
import type { TerminalView, WorkspaceSummary } from "../protocol/workspace.ts";

/** More lines of one kind would push what matters off a small screen. */
const maxLines = 12;

/**
 * What an interactive login shows first: where one is, what runs and listens there, and what was
 * left. For a terminal: its lines end with CR LF.
 */
export function motd(workspace: WorkspaceSummary, terminals: readonly TerminalView[]): string {
  const lines = [
    ["Workspace", workspace.name],
    ["Branch", branch(workspace)],
    ...section("Services", services(workspace)),
    ...section("Ports", ports(workspace)),
    ...section("Left running", left(workspace, terminals)),
  ].map(([name = "", text = ""]) => `  ${name.padEnd(12)}  ${clean(text)}`.trimEnd());
  return ["", ...lines, "", ""].join("\r\n");
}

function section(name: string, lines: readonly string[]): [string, string][] {
  const shown = lines.length > maxLines ? lines.slice(0, maxLines - 1) : lines;
  const more = lines.length - shown.length;
  return [...shown, ...(more === 0 ? [] : [`and ${more} more`])].map((line, index) => [
    index === 0 ? name : "",
    line,
  ]);
}

function branch({ branch: name, ref, commit, behind, work }: WorkspaceSummary): string {
  const place = name ?? ref?.replace(/^refs\/(?:tags|pull|heads)\//, "") ?? commit.slice(0, 12);
  const counts = [
    count(behind ?? 0, "commit", "behind its remote"),
    count(work?.uncommitted ?? 0, "file", "not committed"),
    count(work?.unpushed ?? 0, "commit", "not pushed"),
  ].filter((part) => part !== "");
  return counts.length === 0 ? place : `${place}: ${counts.join(", ")}`;
}

function count(number: number, what: string, how: string): string {
  return number === 0 ? "" : `${number} ${what}${number === 1 ? "" : "s"} ${how}`;
}

function services(workspace: WorkspaceSummary): string[] {
  return columns(
    workspace.services.map(({ name, state, health }) => [
      clean(name),
      health === null ? state : `${state}, ${clean(health)}`,
    ]),
  );
}

function ports(workspace: WorkspaceSummary): string[] {
  return columns(
    workspace.ports.map(({ port, service, name, process, listening, url }) => [
      String(port),
      clean(service ?? name ?? process ?? ""),
      listening ? clean(url) : "nothing listens yet",
    ]),
  );
}

/** Terminals of ssh sessions whose connection broke. */
function left(workspace: WorkspaceSummary, terminals: readonly TerminalView[]): string[] {
  const detached = terminals.filter((terminal) => terminal.detached);
  return columns(
    detached.map(({ id, title }) => [
      `loop attach ${workspace.name}${detached.length === 1 ? "" : ` ${id}`}`,
      clean(title),
    ]),
  );
}
