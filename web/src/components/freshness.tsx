import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { count, workPhrases } from "../lib/format.ts";
import type { Wishes } from "../lib/wishes.ts";
import { RefreshIcon } from "./icons.tsx";
import { Ago } from "./time.tsx";
import { Tip } from "./tip.tsx";

/** How many commits the remote's branch has more; pressing it asks the remote again. */
export function Behind({
  workspace,
  refresh,
}: {
  workspace: WorkspaceSummary;
  refresh: Wishes["refresh"];
}) {
  const { behind, name } = workspace;
  if (behind === null || behind === 0) return null;
  return (
    <Tip
      text={`The remote's branch has ${count(behind, "commit")} more. Press to ask again. Nothing is pulled: run git pull in the workspace.`}
    >
      <button
        type="button"
        disabled={refresh.isPending}
        onClick={() => refresh.mutate({ workspace: name })}
        aria-label={`${behind} behind the remote. Ask again.`}
        className="inline-flex h-6 items-center gap-1 rounded-full bg-wait-soft px-2 text-xs font-medium text-wait hover:underline"
      >
        <RefreshIcon className={`size-3 ${refresh.isPending ? "late animate-spin" : ""}`} />
        {behind} behind
      </button>
    </Tip>
  );
}

/** Work that exists only in the workspace; nothing where there is none, or none was counted. */
export function Unsaved({ workspace }: { workspace: WorkspaceSummary }) {
  const phrases = workPhrases(workspace.work);
  if (workspace.work === null || phrases.length === 0) return null;
  return (
    <span className="text-[13px] text-ink">
      <span className="sr-only">Only here: </span>
      {phrases.join(", ")}
      <span className="sr-only">
        , counted <Ago at={workspace.work.at} />
      </span>
    </span>
  );
}
