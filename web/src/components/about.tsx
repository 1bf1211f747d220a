import type { ReactNode } from "react";
import type { LiveWorkspace } from "../lib/live.ts";
import { absoluteTime, checkedOut, count, shortRepository, workPhrases } from "../lib/format.ts";
import { plainText, webUrl } from "../lib/plain-text.ts";
import type { Wishes } from "../lib/wishes.ts";
import { Button } from "./button.tsx";
import { Failure } from "./failure.tsx";
import { RefreshIcon } from "./icons.tsx";
import { Ago } from "./time.tsx";

const kindWords = {
  branch: "Branch",
  tag: "Tag",
  "pull-request": "Pull request",
  commit: "Commit",
} as const;

/** What is checked out, how fresh it is, what exists only here, and what of the devfile is not run. */
export function About({
  workspace,
  leftOut,
  refresh,
}: {
  workspace: NonNullable<LiveWorkspace["workspace"]>;
  leftOut: LiveWorkspace["leftOut"];
  refresh: Wishes["refresh"];
}) {
  const { repository, commit, behind, work, branch } = workspace;
  const { kind, label, detached } = checkedOut(workspace);
  const href = webUrl(repository);
  return (
    <div className="space-y-6 text-sm">
      <dl className="space-y-3">
        <Row name="Repository">
          {href === null ? (
            shortRepository(repository)
          ) : (
            <a
              href={href}
              target="_blank"
              rel="noreferrer"
              className="underline decoration-line-strong underline-offset-2 hover:decoration-current"
            >
              {shortRepository(repository)}
            </a>
          )}
        </Row>
        {kind !== "commit" && <Row name={kindWords[kind]}>{label}</Row>}
        <Row name="Opened at">
          <span className="font-mono text-xs">{commit.slice(0, 12)}</span>
          {detached && <span className="text-muted"> (detached: on no branch)</span>}
        </Row>
        {branch !== null && (
          <Row name="Remote">
            <span className="flex flex-wrap items-center gap-x-2 gap-y-1.5">
              {behindWords(behind)}
              <Button
                size="small"
                busy={refresh.isPending}
                onClick={() => refresh.mutate({ workspace: workspace.name })}
              >
                <RefreshIcon className="size-3.5" />{" "}
                {behind === null ? "Ask the remote" : "Ask again"}
              </Button>
            </span>
            {behind !== null && behind > 0 && (
              <span className="mt-1 block text-[13px] text-muted">
                Nothing is pulled by itself: run git pull in a terminal.
              </span>
            )}
            <Failure error={refresh.error} className="mt-2" />
          </Row>
        )}
        {work !== null && (
          <Row name="Only here">
            {workPhrases(work).join(", ") || "Nothing: all is committed and pushed."}
            <span className="block text-[13px] text-muted">
              Counted <Ago at={work.at} />
            </span>
          </Row>
        )}
        <Row name="Created">{absoluteTime(workspace.createdAt)}</Row>
        <Row name="Last used">
          <Ago at={workspace.lastUsedAt} />
        </Row>
      </dl>
      {leftOut.length > 0 && <LeftOut leftOut={leftOut} />}
    </div>
  );
}

function behindWords(behind: number | null): string {
  if (behind === null) return "Not known";
  return behind === 0 ? "No new commits" : count(behind, "new commit");
}

function Row({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="grid grid-cols-[6rem_minmax(0,1fr)] gap-x-3">
      <dt className="text-[13px] leading-5 text-muted">{name}</dt>
      <dd className="min-w-0 break-words">{children}</dd>
    </div>
  );
}

/** What of the configuration was read but is not run: listed, never hidden. */
function LeftOut({ leftOut }: { leftOut: LiveWorkspace["leftOut"] }) {
  return (
    <section>
      <h3 className="text-[13px] font-semibold">Read, but not run</h3>
      <ul className="mt-2 space-y-2.5 text-[13px]">
        {leftOut.map(({ what, why, where }) => (
          <li key={`${where} ${what}`}>
            <span className="font-medium">{plainText(what)}</span>
            <span className="text-muted">: {plainText(why)}</span>
            <p className="font-mono text-xs break-all text-muted">{plainText(where)}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}
