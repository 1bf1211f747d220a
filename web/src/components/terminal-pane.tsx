import { useEffect, useRef, useState } from "react";
import "@xterm/xterm/css/xterm.css";
import type { ConnectionState } from "../terminal/connection.ts";
import { count } from "../lib/format.ts";
import { showToast } from "../lib/toasts.ts";
import { TerminalView, type SearchResults } from "../terminal/view.ts";
import { Button } from "./button.tsx";
import { SpinnerIcon } from "./icons.tsx";
import { TerminalSearch } from "./terminal-search.tsx";

interface TerminalPaneProps {
  /** Its id; for a terminal of a service `<id>.<service>`. */
  workspaceId: string;
  terminalId: string;
  /** The name of the tab, for screen readers. */
  title: string;
  ports: readonly { port: number; url: string }[];
  visible: boolean;
  searching: boolean;
  onSearch: (searching: boolean) => void;
  onTitle: (title: string) => void;
  /** The program has ended, or the terminal may be gone: the list should be looked at again. */
  onDoubt: () => void;
  onLeave: () => void;
}

/** One terminal. It stays connected while another tab is shown. */
export function TerminalPane(props: TerminalPaneProps) {
  const { workspaceId, terminalId, visible } = props;
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<TerminalView>(null);
  const [results, setResults] = useState<SearchResults | null>(null);
  const [state, setState] = useState<ConnectionState>({ kind: "connecting" });
  // The view outlives renders and must call what the latest one was given.
  const latest = useRef(props);
  useEffect(() => {
    latest.current = props;
  });

  useEffect(() => {
    if (host.current === null) return undefined;
    const made = new TerminalView(host.current, {
      workspaceId,
      terminalId,
      ports: () => latest.current.ports,
      onState: (next) => {
        setState(next);
        if (next.kind === "reconnecting" || next.kind === "exited") latest.current.onDoubt();
      },
      onTitle: (title) => latest.current.onTitle(title),
      onLeave: () => latest.current.onLeave(),
      onSearch: () => latest.current.onSearch(true),
      onResults: setResults,
      onCopied: (characters) =>
        showToast("done", `A program in the terminal copied ${count(characters, "character")}.`),
    });
    view.current = made;
    return () => {
      view.current = null;
      made[Symbol.dispose]();
    };
  }, [workspaceId, terminalId]);

  useEffect(() => {
    if (view.current === null) return;
    view.current.visible = visible;
    if (visible && mayTakeFocus()) view.current.focus();
  }, [visible]);

  return (
    <div
      role="tabpanel"
      id={`panel-${terminalId}`}
      aria-labelledby={`tab-${terminalId}`}
      hidden={!visible}
      data-terminal={terminalId}
      data-connection={state.kind}
      className="absolute inset-0 bg-terminal"
    >
      <div
        ref={host}
        role="application"
        aria-label={`Terminal ${props.title}. Control F6 leaves it, Control Shift F searches.`}
        className="terminal-host absolute inset-x-3 inset-y-2 font-mono"
      />
      {props.searching && (
        <TerminalSearch
          results={results}
          onFind={(text, direction) => view.current?.find(text, direction)}
          onClose={() => {
            view.current?.endSearch();
            view.current?.focus();
            setResults(null);
            props.onSearch(false);
          }}
        />
      )}
      <ConnectionNote state={state} onRetry={() => view.current?.retryNow()} />
    </div>
  );
}

/** Not from somebody who is busy elsewhere on the page, such as in a menu of the ports. */
function mayTakeFocus(): boolean {
  const { activeElement } = document;
  if (activeElement === null || activeElement === document.body) return true;
  if (activeElement.matches("[data-page-heading]")) return true;
  // Who walks the tabs by keyboard goes on walking; Enter leads into the terminal.
  if (activeElement.matches('[role="tab"]:focus-visible')) return false;
  return activeElement.closest("[data-terminals]") !== null;
}

function ConnectionNote({ state, onRetry }: { state: ConnectionState; onRetry: () => void }) {
  const note =
    "absolute right-5 bottom-3 z-10 flex items-center gap-2.5 rounded-lg border border-line " +
    "bg-surface px-3 py-1.5 text-[13px] shadow-md";
  switch (state.kind) {
    case "open":
      return state.readOnly ? <p className={note}>View only</p> : null;
    case "connecting":
      return (
        <p role="status" className={`${note} late`}>
          <SpinnerIcon /> Connecting
        </p>
      );
    case "reconnecting":
      return (
        <div role="status" className={note}>
          <SpinnerIcon className="text-wait" />
          <span>Reconnecting. What you type is not sent meanwhile.</span>
          <Button size="small" onClick={onRetry}>
            Try now
          </Button>
        </div>
      );
    case "exited":
      return (
        <p role="status" className={note}>
          {state.signal === null
            ? `Ended with exit status ${state.exitCode}`
            : `Ended by signal ${state.signal}`}
        </p>
      );
    default:
      return state satisfies never;
  }
}
