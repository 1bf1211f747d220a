import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import type { DriftFinding, DriftReport, DriftSide } from "../../../server/protocol/drift.ts";
import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { trpc } from "../lib/api.ts";
import { groupsOf, useDrift, type FindingGroup } from "../lib/drift.ts";
import { wireError } from "../lib/errors.ts";
import { count } from "../lib/format.ts";
import { plainLine } from "../lib/plain-text.ts";
import { Button } from "./button.tsx";
import { Failure } from "./failure.tsx";
import { Code, Field, technical } from "./field.tsx";
import { ChevronDownIcon, RefreshIcon } from "./icons.tsx";
import { Loading } from "./loading.tsx";

/** How what runs here differs from production: the causes, each of which opens both its sources. */
export function Drift({ workspace }: { workspace: WorkspaceSummary }) {
  const { data, error, isPending, isFetching, refetch, environment } = useDrift(workspace.name);
  const needsProject =
    error !== null && environment !== null && wireError(error).code === "choice-needed";
  return (
    <div className="space-y-4">
      <div className="flex items-end gap-2">
        <ComparedWith workspace={workspace.name} environment={environment} />
        {!isPending && data !== null && !needsProject && (
          <Button size="small" busy={isFetching} onClick={() => void refetch()}>
            <RefreshIcon className="size-3.5" /> Compare again
          </Button>
        )}
      </div>
      {isPending && <Loading what="Comparing" />}
      {error !== null && (
        <>
          <Failure error={error} />
          {needsProject && <ProjectChoice workspace={workspace.name} />}
        </>
      )}
      {data === null && <NothingToCompareWith />}
      {data !== null && data !== undefined && error === null && (
        <Report workspace={workspace.name} report={data.report} />
      )}
    </div>
  );
}

const mirrored = "";

/** The production that it mirrors, or what really runs in one of the registered environments. */
function ComparedWith({
  workspace,
  environment,
}: {
  workspace: string;
  environment: string | null;
}) {
  const navigate = useNavigate();
  const { data: names = [] } = useQuery(
    trpc.environments.names.queryOptions(undefined, { staleTime: 0 }),
  );
  if (names.length === 0 && environment === null) return null;
  return (
    <label className="min-w-0 flex-1 text-[13px] font-medium">
      Compared with
      <select
        value={environment ?? mirrored}
        onChange={({ target: { value } }) =>
          void navigate({
            to: "/workspaces/$name",
            params: { name: workspace },
            search: ({ terminal }) => ({
              ...(terminal === undefined ? {} : { terminal }),
              view: "drift",
              ...(value === mirrored ? {} : { environment: value }),
            }),
            replace: true,
          })
        }
        className="mt-1 block h-8 w-full min-w-0 rounded-lg border border-line-strong bg-surface px-2 text-[13px] font-normal"
      >
        <option value={mirrored}>Mirrored production</option>
        {[...new Set([...names, ...(environment === null ? [] : [environment])])].map((name) => (
          <option key={name} value={name}>
            What runs in {name}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Asked for where the environment has several. */
function ProjectChoice({ workspace }: { workspace: string }) {
  const navigate = useNavigate();
  const [project, setProject] = useState("");
  return (
    <form
      className="flex items-end gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        void navigate({
          to: "/workspaces/$name",
          params: { name: workspace },
          search: (before) => ({ ...before, project: project.trim() }),
          replace: true,
        });
      }}
    >
      <Field
        label="Compose project"
        required
        className="min-w-0 flex-1"
        {...technical}
        value={project}
        onChange={(event) => setProject(event.target.value)}
      />
      <Button type="submit">Compare</Button>
    </form>
  );
}

function NothingToCompareWith() {
  return (
    <div className="rounded-lg bg-sunken p-3 text-[13px] text-pretty">
      <p className="font-medium">There is nothing to compare it with.</p>
      <p className="mt-1 text-muted">
        This workspace mirrors nothing. One that does shows here how it differs from production:
      </p>
      <p className="mt-1.5">
        <Code>loop open &lt;repository&gt; --mirror k8s/</Code>
      </p>
      <p className="mt-1.5 text-muted">
        Or compare it with what really runs, in an engine that this installation&apos;s owner
        registers: <Code>loop environments add production DOCKER_HOST</Code>
      </p>
    </div>
  );
}

function Report({ workspace, report }: { workspace: string; report: DriftReport }) {
  const { unacknowledgedBreaking: breaking, equal, comparable, b } = report;
  const groups = groupsOf(report);
  return (
    <>
      <div>
        <p className="flex items-baseline gap-2">
          <span
            data-headline
            className={`text-3xl font-semibold tabular-nums ${breaking === 0 ? "text-good" : "text-bad"}`}
          >
            {breaking}
          </span>
          <span className="text-sm font-medium text-pretty">
            {breaking === 1 ? "breaking difference" : "breaking differences"} that nobody has
            acknowledged
          </span>
        </p>
        <p className="mt-1 text-[13px] text-muted">
          {equal} of {comparable} comparable facts are equal, here and in{" "}
          <span className="break-words">{plainLine(b, 300)}</span>.
        </p>
      </div>
      {groups.length === 0 && <p className="text-sm">There are no differences.</p>}
      {groups.map((group) => (
        <Group key={group.kind} workspace={workspace} group={group} />
      ))}
      {report.unusedAcknowledgements.length > 0 && (
        <div className="text-[13px]">
          <h3 className="font-medium">Acknowledged, and not found</h3>
          <ul className="mt-1 font-mono text-xs text-muted">
            {report.unusedAcknowledgements.map(({ id }) => (
              <li key={id} className="break-all">
                {plainLine(id, 300)}
              </li>
            ))}
          </ul>
        </div>
      )}
    </>
  );
}

/** What is not known and what is accepted is there for who looks for it. */
function Group({ workspace, group }: { workspace: string; group: FindingGroup }) {
  const { kind, title, findings } = group;
  const list = (
    <ul aria-label={title} className="mt-1.5 divide-y divide-line border-y border-line">
      {findings.map((finding) => (
        <Finding key={finding.id} workspace={workspace} finding={finding} />
      ))}
    </ul>
  );
  const heading = (
    <>
      {title} <span className="font-normal text-muted tabular-nums">{findings.length}</span>
    </>
  );
  if (kind !== "unknown" && kind !== "acknowledged") {
    return (
      <section>
        <h3 className="text-[13px] font-semibold">{heading}</h3>
        {list}
      </section>
    );
  }
  return (
    <details className="group">
      <summary className="flex w-fit cursor-pointer list-none items-center gap-1 rounded text-[13px] font-semibold">
        <ChevronDownIcon className="size-3.5 -rotate-90 group-open:rotate-0" />
        <span>{heading}</span>
      </summary>
      {list}
    </details>
  );
}

function Finding({ workspace, finding }: { workspace: string; finding: DriftFinding }) {
  const { id, service, what, a, b, also, acknowledged } = finding;
  const { finding: shown } = useSearch({ from: "/signed-in/workspaces/$name" });
  return (
    <li>
      <Link
        to="/workspaces/$name"
        params={{ name: workspace }}
        search={(before) => ({ ...before, view: "drift", finding: id })}
        replace
        data-finding={id}
        aria-current={shown === id ? "true" : undefined}
        className={`-mx-4 block px-4 py-2.5 text-[13px] focus-visible:-outline-offset-2 ${
          shown === id ? "bg-hover" : "hover:bg-hover"
        }`}
      >
        <span className="block break-words">
          <span className="font-semibold">{plainLine(service, 100)}:</span> {plainLine(what, 300)}
        </span>
        <Value name="A" side={a} />
        <Value name="B" side={b} />
        {also.length > 0 && (
          <span className="mt-1 block text-muted">
            and so in {count(also.length, "other place")}
          </span>
        )}
        {acknowledged !== null && (
          <span className="mt-1 block break-words text-muted">
            {acknowledged.expired ? "Was accepted until" : "Accepted until"}{" "}
            {plainLine(acknowledged.expires)} by {plainLine(acknowledged.owner, 100)}:{" "}
            {plainLine(acknowledged.reason, 300)}
          </span>
        )}
      </Link>
    </li>
  );
}

function Value({ name, side }: { name: string; side: DriftSide }) {
  return (
    <span className="mt-0.5 flex gap-2 font-mono text-xs">
      <span className="text-muted">{name}</span>
      <span className="min-w-0 truncate">{plainLine(side.value ?? "nothing", 200)}</span>
    </span>
  );
}
