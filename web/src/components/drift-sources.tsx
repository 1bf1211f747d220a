import { Link } from "@tanstack/react-router";
import { useEffect, useRef, useState, type ReactNode } from "react";
import type {
  DriftEffect,
  DriftFinding,
  DriftPage,
  DriftSide,
} from "../../../server/protocol/drift.ts";
import { formatPlace, type Place } from "../../../server/protocol/fact.ts";
import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { excerptAt, lockFor, useDrift } from "../lib/drift.ts";
import { plainLine, plainText } from "../lib/plain-text.ts";
import { CopyButton } from "./copy-button.tsx";
import { Failure } from "./failure.tsx";
import { CrossIcon } from "./icons.tsx";
import { Loading } from "./loading.tsx";

/** Both sources of a finding beside each other, in the place of the terminals. */
export function DriftSources({ workspace, shown }: { workspace: WorkspaceSummary; shown: string }) {
  const { data, error, isPending } = useDrift(workspace.name);
  const finding = data?.report.findings.find(({ id }) => id === shown);
  return (
    <section
      aria-label="Both sources"
      className="order-1 flex min-h-0 min-w-0 flex-1 flex-col overflow-y-auto bg-canvas"
    >
      <div className="flex items-start gap-2 border-b border-line bg-surface py-2.5 pr-2 pl-4">
        <div className="min-w-0 flex-1">
          <h2 className="text-sm font-semibold break-words">
            {finding === undefined
              ? "A difference"
              : `${plainLine(finding.service, 100)}: ${plainLine(finding.what, 300)}`}
          </h2>
          {finding !== undefined && (
            <p className="mt-0.5 text-[13px] text-pretty text-muted">{finding.why}</p>
          )}
        </div>
        <Link
          to="/workspaces/$name"
          params={{ name: workspace.name }}
          search={({ finding: _finding, ...others }) => others}
          replace
          aria-label="Close the sources"
          title="Close"
          className="grid size-7 shrink-0 place-content-center rounded-lg text-muted hover:bg-hover hover:text-ink"
        >
          <CrossIcon />
        </Link>
      </div>
      {isPending && <Loading what="Comparing" />}
      <Failure error={error} className="m-3" />
      {data !== undefined && finding === undefined && error === null && (
        <p className="p-4 text-sm text-muted">This difference is there no more.</p>
      )}
      {data !== undefined && data !== null && finding !== undefined && (
        // Another finding is looked at from its own place on.
        <Sides key={finding.id} page={data} finding={finding} />
      )}
    </section>
  );
}

function Sides({ page, finding }: { page: DriftPage; finding: DriftFinding }) {
  const [at, setAt] = useState(0);
  const { what, a, b, also } = finding;
  const places: readonly DriftEffect[] = [{ what, a, b }, ...also];
  const place = places[at] ?? { what, a, b };
  return (
    <>
      {also.length > 0 && (
        <label className="flex flex-wrap items-center gap-x-2 gap-y-1 border-b border-line bg-surface px-4 py-2 text-[13px]">
          <span className="font-medium">Where it shows</span>
          <select
            value={at}
            onChange={({ target: { value } }) => setAt(Number(value))}
            className="h-8 max-w-full min-w-0 flex-1 rounded-lg border border-line-strong bg-surface px-2"
          >
            {places.map((each, index) => (
              <option key={index} value={index}>
                {plainLine(each.what, 200)}
              </option>
            ))}
          </select>
        </label>
      )}
      <div className="grid min-h-0 shrink-0 gap-px bg-line lg:grid-cols-2">
        <Side name="A" title={page.report.a} side={place.a} page={page} />
        <Side name="B" title={page.report.b} side={place.b} page={page} />
      </div>
      {finding.class !== "unknown" && <HowToAccept finding={finding} />}
    </>
  );
}

interface SideProps {
  name: string;
  title: string;
  side: DriftSide;
  page: DriftPage;
}

function Side({ name, title, side, page }: SideProps) {
  const { value, where } = side;
  const excerpt = excerptAt(page.excerpts, where);
  const place = where === null ? null : plainLine(formatPlace(where), 400);
  return (
    <section aria-label={`Source ${name}`} className="flex min-w-0 flex-col bg-surface">
      <header className="border-b border-line px-4 py-2 text-[13px]">
        <h3 className="break-words">
          <span className="font-semibold">{name}</span>{" "}
          <span className="text-muted">{plainLine(title, 300)}</span>
        </h3>
        <p className="mt-0.5 font-mono text-xs break-all">{plainText(value ?? "nothing")}</p>
        {place !== null && <p className="mt-0.5 font-mono text-xs break-all text-muted">{place}</p>}
      </header>
      {excerpt === null ? (
        <Elsewhere where={where} />
      ) : (
        // Another line is looked at from its own place on.
        <Lines
          key={`${excerpt.file}:${excerpt.line}`}
          label={`${excerpt.file}, line ${excerpt.line}`}
          excerpt={excerpt}
        />
      )}
    </section>
  );
}

/** Where there are no lines to show. */
function Elsewhere({ where }: { where: Place | null }) {
  return <div className="h-full bg-sunken p-4 text-[13px] text-pretty text-muted">{said()}</div>;

  function said(): ReactNode {
    if (where === null) return "Nothing of this side stands for it.";
    if ("file" in where) return "Its lines are not at hand here.";
    const [object = "", path = ""] = where.object.split(/#(.*)/s);
    return (
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
        <dt>Environment</dt>
        <dd className="text-ink break-all">{plainLine(where.engine, 100)}</dd>
        <dt>Container</dt>
        <dd className="text-ink break-all">{plainLine(object, 300)}</dd>
        {path !== "" && (
          <>
            <dt>Setting</dt>
            <dd className="font-mono text-xs leading-5 break-all text-ink">
              {plainLine(path, 300)}
            </dd>
          </>
        )}
      </dl>
    );
  }
}

function Lines({
  label,
  excerpt,
}: {
  label: string;
  excerpt: NonNullable<ReturnType<typeof excerptAt>>;
}) {
  const { from, lines, line, total } = excerpt;
  const box = useRef<HTMLDivElement>(null);
  const wanted = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const [outer, inner] = [box.current, wanted.current];
    if (outer === null || inner === null) return;
    // Only the box moves: the page stays where it is.
    outer.scrollTop = inner.offsetTop - outer.clientHeight / 3;
  }, []);
  return (
    <div
      ref={box}
      // Focusable, so that the keyboard can scroll it.
      tabIndex={0}
      role="group"
      aria-label={label}
      className="relative h-72 overflow-auto bg-sunken py-2 font-mono text-xs leading-5 focus-visible:-outline-offset-2 lg:h-[26rem]"
    >
      <div className="w-max min-w-full">
        {lines.map((text, index) => {
          const number = from + index;
          const isIt = number === line;
          return (
            <div
              key={number}
              ref={isIt ? wanted : undefined}
              data-line={number}
              aria-current={isIt ? "true" : undefined}
              className={`flex pr-4 ${isIt ? "bg-accent-soft" : ""}`}
            >
              <span
                className={`w-14 shrink-0 border-l-2 pr-3 text-right select-none tabular-nums ${
                  isIt ? "border-accent font-semibold text-ink" : "border-transparent text-muted"
                }`}
              >
                {number}
              </span>
              <span className="whitespace-pre">{plainText(text)}</span>
            </div>
          );
        })}
        {from + lines.length - 1 < total && (
          <p className="px-4 pt-2 text-muted">The file has {total} lines.</p>
        )}
      </div>
    </div>
  );
}

/** A finding counts until somebody answers for it, for a while. */
function HowToAccept({ finding }: { finding: DriftFinding }) {
  const text = lockFor(finding);
  return (
    <section aria-label="How to accept it" className="border-t border-line p-4">
      <h3 className="text-[13px] font-semibold">How to accept it</h3>
      <p className="mt-0.5 text-[13px] text-pretty text-muted">
        Write this into <code className="font-mono">.oneloop/drift.lock</code> of the repository,
        with a reason, an owner and a last day. Until then it does not count.
      </p>
      <div className="mt-2 flex max-w-2xl items-start rounded-lg border border-line bg-sunken py-1 pr-1 pl-3">
        <pre
          tabIndex={0}
          aria-label="For .oneloop/drift.lock"
          className="min-w-0 flex-1 overflow-x-auto py-1 font-mono text-xs leading-5"
        >
          {text}
        </pre>
        <CopyButton text={text} label="Copy the acknowledgement" />
      </div>
    </section>
  );
}
