import { expect } from "vitest";
import type { Place } from "../../../../server/protocol/fact.ts";
import { SourceModel } from "../../../../server/protocol/source-model.ts";
import { detect, type Detected } from "../../../../server/sources/detect/read.ts";

/** A repository by its files; those without a text that matters are empty. */
export type TreeOf = Readonly<Record<string, string>>;

export function detected(tree: TreeOf, name = "app"): Detected {
  const found = detect({ paths: Object.keys(tree), texts: new Map(Object.entries(tree)) }, name);
  expect(SourceModel.parse(found.model)).toEqual(found.model);
  return found;
}

/** What was found, in short: for each detector's test. */
export function short(tree: TreeOf): Record<string, readonly string[]> {
  const { model } = detected(tree);
  const lines = {
    found: detected(tree).summary,
    once: model.tasks.map(({ commandLine, once, workingDir }) => {
      const folder = folderOf(workingDir.known ? workingDir.value : null);
      return `${once}: ${folder}${commandLine.known ? commandLine.value : ""} (${at(commandLine.where)})`;
    }),
    offered: (model.commands ?? []).flatMap(({ name, group, runs, where }) => {
      if (group === null || "commands" in runs || !runs.commandLine.known) return [];
      const folder = folderOf(runs.workingDir.known ? runs.workingDir.value : null);
      const kind = `${group.kind}${group.isDefault ? "!" : ""}`;
      return [`${kind} ${name}: ${folder}${runs.commandLine.value} (${at(where)})`];
    }),
    ports: model.services.flatMap(({ endpoints }) =>
      endpoints.map((endpoint) =>
        endpoint.known ? `${endpoint.value.targetPort} (${at(endpoint.where)})` : "",
      ),
    ),
    leftOut: model.leftOut.map(({ what, where }) => `${what} (${at(where)})`),
  };
  return Object.fromEntries(Object.entries(lines).filter(([, list]) => list.length > 0));
}

function folderOf(workingDir: string | null): string {
  const below = (workingDir ?? "").replace(/^\$\{PROJECT_SOURCE\}\/?/, "");
  return below === "" ? "" : `in ${below}: `;
}

function at(where: Place): string {
  return "file" in where ? `${where.file}:${where.line}` : "";
}

/** `sudo apt-get …` with these packages, as `short` shows it. */
export function installs(packages: string, place: string): string {
  return `container: sudo apt-get update && sudo env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ${packages} (${place})`;
}

export const json = (value: unknown): string => JSON.stringify(value, null, 2);
