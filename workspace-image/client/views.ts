import { columns } from "../../server/protocol/text.ts";
import { fieldsOf, textOf } from "./text.ts";

/** The ports of a WorkspaceSummary, a line each. */
export function portLines(ports: readonly unknown[]): string[] {
  if (ports.length === 0) return ["Nothing listens on a port yet."];
  const rows = ports.map(fieldsOf).map((port) => {
    const service = textOf(port["service"]);
    return [
      `${textOf(port["port"]) ?? "-"}${service === null ? "" : ` of ${service}`}`,
      textOf(port["process"]) ?? "-",
      textOf(port["name"]) ?? "-",
      port["listening"] === true ? "yes" : "no",
      textOf(port["visibility"]) ?? "-",
      textOf(port["url"]) ?? "-",
    ];
  });
  return columns([["PORT", "PROCESS", "NAME", "LISTENING", "VISIBILITY", "URL"], ...rows]);
}

/** A WorkspaceSummary for people. */
export function summaryLines(summary: unknown): string[] {
  const workspace = fieldsOf(summary);
  const behind = Number(workspace["behind"] ?? 0);
  const branch = textOf(workspace["branch"]);
  const newer = behind > 0 ? ` (the remote has ${behind} newer commits)` : "";
  const ssh = fieldsOf(workspace["ssh"]);
  const work = fieldsOf(workspace["work"]);
  const pairs = [
    ["name", textOf(workspace["name"])],
    ["state", textOf(workspace["state"])],
    ["error", textOf(fieldsOf(workspace["error"])["message"])],
    ["repository", textOf(workspace["repository"])],
    ["branch", branch === null ? null : `${branch}${newer}`],
    ["commit", textOf(workspace["commit"])],
    [
      "work",
      workspace["work"] === null || workspace["work"] === undefined
        ? null
        : `${textOf(work["uncommitted"])} uncommitted files, ${textOf(work["unpushed"])} unpushed ` +
          `commits, ${textOf(work["stashes"])} stashes`,
    ],
    ["page", textOf(workspace["url"])],
    [
      "ssh",
      textOf(ssh["host"]) === null
        ? null
        : `ssh -p ${textOf(ssh["port"])} ${textOf(ssh["user"])}@${textOf(ssh["host"])}`,
    ],
  ].filter((pair): pair is [string, string] => typeof pair[1] === "string");
  const ports = workspace["ports"];
  return [
    ...columns(pairs),
    ...(Array.isArray(ports) && ports.length > 0
      ? ["", "Ports:", ...portLines(ports).map((line) => `  ${line}`)]
      : []),
  ];
}
