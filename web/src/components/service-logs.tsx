import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import type { WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { fold } from "../lib/log-layout.ts";
import type { LogLine } from "../lib/log-buffer.ts";
import { useServiceLogs } from "../lib/service-logs.ts";
import { allServices } from "../lib/workspace-views.ts";
import { Button, IconButton } from "./button.tsx";
import { Failure } from "./failure.tsx";
import { inputLook, technical } from "./field.tsx";
import { ChevronDownIcon, ChevronUpIcon, CrossIcon, SearchIcon } from "./icons.tsx";
import { LogText } from "./log-text.tsx";

/** What the services print, live, in the place of the terminals. */
export function ServiceLogs({ workspace, shown }: { workspace: WorkspaceSummary; shown: string }) {
  const known = workspace.services.some(({ name }) => name === shown);
  const service = known ? shown : allServices;
  return (
    <section aria-label="Logs" className="order-1 flex min-h-0 min-w-0 flex-1 flex-col bg-terminal">
      {/* Other services are another log. */}
      <Logs key={service} workspace={workspace} service={service} />
    </section>
  );
}

function Logs({ workspace, service }: { workspace: WorkspaceSummary; service: string }) {
  const names = workspace.services.map(({ name }) => name);
  const all = service === allServices;
  const { buffer, version, clear, error } = useServiceLogs(workspace.name, {
    services: all ? null : [service],
    count: names.length,
  });
  const [text, setText] = useState("");
  const [onlyFound, setOnlyFound] = useState(true);
  /** What stood there when somebody stopped to read; null: what comes is shown. */
  const [held, setHeld] = useState<{ lines: readonly LogLine[]; total: number } | null>(null);
  /** The line that a search has led to. */
  const [current, setCurrent] = useState<number | null>(null);

  const lines = useMemo(
    () => held?.lines ?? buffer.lines(),
    // oxlint-disable-next-line react/exhaustive-deps -- the buffer is changed in place; `version` says so
    [buffer, held, version],
  );
  const wanted = fold(text.trim());
  const found = useMemo(
    () => (wanted === "" ? lines : lines.filter((line) => fold(line.text).includes(wanted))),
    [lines, wanted],
  );
  const visible = onlyFound ? found : lines;
  const hold = (holding: boolean): void => {
    if (!holding) setHeld(null);
    else setHeld((before) => before ?? { lines: buffer.lines(), total: buffer.total });
  };
  const step = (by: 1 | -1): void => {
    if (found.length === 0) return;
    hold(true);
    const at = found.findIndex(({ id }) => id === current);
    const next = at === -1 ? found.length - 1 : (at + by + found.length) % found.length;
    setCurrent(found[next]?.id ?? null);
  };
  const at = found.findIndex(({ id }) => id === current);

  return (
    <>
      <div className="flex flex-wrap items-center gap-2 border-b border-line bg-surface px-3 py-2">
        <ServiceChoice workspace={workspace} service={service} />
        <div
          role="search"
          aria-label="Search in the logs"
          className="order-1 flex min-w-full flex-1 items-center gap-1 sm:order-none sm:min-w-40"
          onKeyDown={(event) => {
            if (event.key === "Enter") {
              event.preventDefault();
              step(event.shiftKey ? -1 : 1);
            } else if (event.key === "Escape") setText("");
          }}
        >
          <span className="relative min-w-0 flex-1">
            <SearchIcon className="pointer-events-none absolute top-2.25 left-2.5 size-3.5 text-muted" />
            <input
              type="text"
              aria-label="Text to find"
              placeholder="Find"
              {...technical}
              value={text}
              onChange={(event) => {
                setText(event.target.value);
                setCurrent(null);
              }}
              className={`${inputLook} h-8 pl-8 font-mono text-[13px]`}
            />
          </span>
          {wanted !== "" && (
            <>
              <span
                role="status"
                className="px-1 text-xs whitespace-nowrap text-muted tabular-nums"
              >
                {at === -1 ? "" : `${at + 1} of `}
                {found.length} {found.length === 1 ? "line" : "lines"}
              </span>
              <IconButton label="The line before" size="small" onClick={() => step(-1)}>
                <ChevronUpIcon />
              </IconButton>
              <IconButton label="The next line" size="small" onClick={() => step(1)}>
                <ChevronDownIcon />
              </IconButton>
            </>
          )}
        </div>
        {wanted !== "" && (
          <label className="order-2 flex h-8 items-center gap-1.5 text-[13px] whitespace-nowrap sm:order-none">
            <input
              type="checkbox"
              checked={onlyFound}
              onChange={(event) => setOnlyFound(event.target.checked)}
              className="size-4 accent-accent"
            />
            Only these
          </label>
        )}
        <span className="ml-auto flex items-center gap-1">
          <Button
            size="small"
            className="w-19"
            aria-pressed={held !== null}
            onClick={() => hold(held === null)}
          >
            {held === null ? "Pause" : "Follow"}
          </Button>
          <Button
            size="small"
            kind="quiet"
            onClick={() => {
              setHeld(null);
              clear();
            }}
          >
            Clear
          </Button>
          <Link
            to="/workspaces/$name"
            params={{ name: workspace.name }}
            search={({ logs: _logs, ...others }) => others}
            replace
            aria-label="Close the logs"
            title="Close"
            className="grid size-7 place-content-center rounded-lg text-muted hover:bg-hover hover:text-ink"
          >
            <CrossIcon />
          </Link>
        </span>
      </div>
      <Failure error={error} className="m-3" />
      <LogText
        lines={visible}
        names={names}
        named={all}
        found={wanted}
        current={current}
        held={held !== null}
        more={held === null ? 0 : buffer.total - held.total}
        onHold={hold}
        nothing={
          wanted !== "" && onlyFound && lines.length > 0
            ? "No line that is kept has this text."
            : all
              ? "Nothing was printed yet. What the services print is here as it comes."
              : `${service} has printed nothing yet.`
        }
      />
      {buffer.dropped > 0 && (
        <p className="border-t border-line bg-surface px-3 py-1.5 text-xs text-muted">
          Of {all ? "each service" : service} the last {buffer.linesEach.toLocaleString("en")} lines
          are kept here. All that the engine has kept:{" "}
          <code className="font-mono">
            loop logs {workspace.name} {all ? "--all" : service}
          </code>
        </p>
      )}
    </>
  );
}

function ServiceChoice({ workspace, service }: { workspace: WorkspaceSummary; service: string }) {
  const navigate = useNavigate();
  return (
    <select
      aria-label="Service"
      value={service}
      onChange={(event) => {
        const logs = event.target.value;
        void navigate({
          to: "/workspaces/$name",
          params: { name: workspace.name },
          search: (before) => ({ ...before, logs }),
          replace: true,
        });
      }}
      className="h-8 max-w-48 min-w-0 rounded-lg border border-line-strong bg-surface px-2 text-[13px] font-medium"
    >
      <option value={allServices}>All services</option>
      {workspace.services.map(({ name }) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}
