import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import type {
  DriftClass,
  DriftExcerpt,
  DriftFinding,
  DriftPage,
} from "../../../server/protocol/drift.ts";
import type { Place } from "../../../server/protocol/fact.ts";
import { trpc } from "./api.ts";

/** What a workspace differs in, from what its address names. Both parts of the page ask for the same. */
export function useDrift(workspace: string) {
  const { environment = null, project = null } = useSearch({
    from: "/signed-in/workspaces/$name",
  });
  const asked = useQuery(trpc.services.driftPage.queryOptions({ workspace, environment, project }));
  return { ...asked, environment, project };
}

export interface FindingGroup {
  readonly kind: DriftClass | "acknowledged";
  readonly title: string;
  readonly findings: readonly DriftFinding[];
}

const titles = {
  breaking: "Breaking",
  behavioural: "Behavioural",
  info: "For information",
  unknown: "Not known",
  acknowledged: "Acknowledged",
} as const;

/** As the command line groups them: by what a difference does, those last that somebody accepted. */
export function groupsOf({ findings }: DriftPage["report"]): FindingGroup[] {
  const isAccepted = ({ acknowledged }: DriftFinding): boolean =>
    acknowledged !== null && !acknowledged.expired;
  return (Object.keys(titles) as (keyof typeof titles)[]).flatMap((kind) => {
    const own = findings.filter((one) =>
      kind === "acknowledged" ? isAccepted(one) : one.class === kind && !isAccepted(one),
    );
    return own.length === 0 ? [] : [{ kind, title: titles[kind], findings: own }];
  });
}

/** The lines around a place; null where they were not sent. */
export function excerptAt(
  excerpts: readonly DriftExcerpt[],
  where: Place | null,
): (DriftExcerpt & { readonly line: number }) | null {
  if (where === null || !("file" in where)) return null;
  const { file, line } = where;
  const found = excerpts.find(
    (each) => each.file === file && line >= each.from && line < each.from + each.lines.length,
  );
  return found === undefined ? null : { ...found, line };
}

/** What to write, with the line that a new file begins with. */
export function lockFor({ acknowledge }: DriftFinding): string {
  const entry = acknowledge
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");
  return `acknowledged:\n${entry}\n`;
}
