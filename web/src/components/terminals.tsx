import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState, type ReactNode } from "react";
import type { TerminalView, WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { trpc } from "../lib/api.ts";
import { wireError } from "../lib/errors.ts";
import { cleanTitle } from "../lib/format.ts";
import { Button } from "./button.tsx";
import { Dialog } from "./dialog.tsx";
import { PlusIcon, SpinnerIcon } from "./icons.tsx";
import { Notice } from "./notice.tsx";
import { TerminalPane } from "./terminal-pane.tsx";
import { TerminalTabList } from "./terminal-tab-list.tsx";

interface TerminalsProps {
  workspace: WorkspaceSummary;
  /** The terminal that the address names. */
  chosen: string | undefined;
  onChoose: (id: string | undefined) => void;
  /** Stands at the end of the row of tabs. */
  children: ReactNode;
}

/** The terminals of a running workspace as tabs; a first visit finds a shell. */
export function Terminals({ workspace, chosen, onChoose, children }: TerminalsProps) {
  const queryClient = useQueryClient();
  const input = { workspace: workspace.name };
  // Another window or `ssh` may have made or ended one meanwhile.
  const list = useQuery(
    trpc.terminals.list.queryOptions(input, { refetchOnWindowFocus: "always" }),
  );
  const refresh = () => queryClient.invalidateQueries(trpc.terminals.list.queryFilter(input));
  const create = useMutation(
    trpc.terminals.create.mutationOptions({
      onSuccess: async ({ id }) => {
        await refresh();
        onChoose(id);
      },
    }),
  );
  const close = useMutation(trpc.terminals.close.mutationOptions({ onSettled: refresh }));
  const [closing, setClosing] = useState<TerminalView | null>(null);
  const [titles, setTitles] = useState<ReadonlyMap<string, string>>(new Map());
  const [visited, setVisited] = useState<ReadonlySet<string>>(new Set());

  const terminals = inOrder(list.data ?? []);
  const selected = terminals.find(({ id }) => id === chosen) ?? firstShell(terminals);
  const titleOf = ({ id, title, task }: TerminalView): string =>
    task ?? titles.get(id) ?? (cleanTitle(title) || "shell");

  const madeFirst = useRef(false);
  const loaded = list.data !== undefined;
  const hasShell = terminals.some(({ task }) => task === null);
  useEffect(() => {
    if (!loaded || madeFirst.current) return;
    // Only at the first look: a shell that the user closes later stays closed.
    madeFirst.current = true;
    if (!hasShell) create.mutate({ workspace: workspace.name });
  }, [loaded, hasShell, create, workspace.name]);

  const selectedId = selected?.id;
  if (selectedId !== undefined && !visited.has(selectedId)) {
    setVisited(new Set(visited).add(selectedId));
  }
  // The address always names the terminal that is shown, so that a reload shows it again.
  useEffect(() => {
    if (selectedId !== undefined && selectedId !== chosen) onChoose(selectedId);
  }, [selectedId, chosen, onChoose]);

  const select = (id: string): void => {
    if (id === selectedId)
      document.getElementById(`panel-${id}`)?.querySelector("textarea")?.focus();
    else onChoose(id);
  };

  const askClose = (terminal: TerminalView): void => {
    if (terminal.running) setClosing(terminal);
    else close.mutate({ ...input, terminal: terminal.id });
  };

  return (
    <section aria-label="Terminals" className="flex min-h-0 min-w-0 flex-1 flex-col">
      <div className="flex items-center border-b border-line bg-surface pr-2 pl-2 sm:pl-3">
        <TerminalTabList
          terminals={terminals}
          selected={selectedId}
          titleOf={titleOf}
          creating={create.isPending}
          onSelect={select}
          onClose={askClose}
          onCreate={() => create.mutate(input)}
        />
        {children}
      </div>
      <div className="relative min-h-0 flex-1 overflow-hidden bg-terminal">
        {terminals
          .filter(({ id }) => visited.has(id))
          .map((terminal) => (
            <TerminalPane
              key={terminal.id}
              workspaceId={workspace.id}
              terminalId={terminal.id}
              title={titleOf(terminal)}
              ports={workspace.ports}
              visible={terminal.id === selectedId}
              onTitle={(title) =>
                setTitles((before) =>
                  new Map(before).set(terminal.id, cleanTitle(title) || "shell"),
                )
              }
              onDoubt={() => void refresh()}
              onLeave={() => document.getElementById(`tab-${terminal.id}`)?.focus()}
            />
          ))}
        {terminals.length === 0 && (
          <div className="absolute inset-0 grid place-content-center justify-items-center gap-4 p-6 text-sm text-muted">
            {list.error !== null ? (
              <Notice title={wireError(list.error).message}>
                <Button onClick={() => void refresh()}>Try again</Button>
              </Notice>
            ) : list.isPending || create.isPending ? (
              <p role="status" className="flex items-center gap-2">
                <SpinnerIcon /> Opening a terminal
              </p>
            ) : (
              <>
                <p>No terminal is open here.</p>
                <Button onClick={() => create.mutate(input)}>
                  <PlusIcon /> New terminal
                </Button>
              </>
            )}
          </div>
        )}
      </div>
      {closing !== null && (
        <Dialog title={`Close ${titleOf(closing)}?`} onClose={() => setClosing(null)}>
          <p className="mt-2 text-sm text-muted">The program that runs in it is ended.</p>
          <div className="mt-6 flex justify-end gap-2">
            <Button onClick={() => setClosing(null)}>Keep it</Button>
            <Button
              kind="danger"
              onClick={() => {
                close.mutate({ ...input, terminal: closing.id });
                setClosing(null);
              }}
            >
              End it
            </Button>
          </div>
        </Dialog>
      )}
    </section>
  );
}

/** Tasks first, as the devfile names them, then shells, oldest first. */
function inOrder(terminals: readonly TerminalView[]): TerminalView[] {
  return [
    ...terminals.filter(({ task }) => task !== null),
    ...terminals.filter(({ task }) => task === null),
  ];
}

/** What to show when the address names none: where one can type, if there is such a one. */
function firstShell(terminals: readonly TerminalView[]): TerminalView | undefined {
  return terminals.find(({ task, running }) => task === null && running) ?? terminals[0];
}
