import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import type { TerminalView, WorkspaceSummary } from "../../../server/protocol/workspace.ts";
import { trpc } from "../lib/api.ts";
import { plainLine } from "../lib/plain-text.ts";
import { Ask } from "./ask.tsx";
import { Button, IconButton } from "./button.tsx";
import { CommandMenu } from "./command-menu.tsx";
import { Failure } from "./failure.tsx";
import { PlusIcon, SearchIcon, SpinnerIcon } from "./icons.tsx";
import { TerminalPane } from "./terminal-pane.tsx";
import { TerminalTabList } from "./terminal-tab-list.tsx";

interface TerminalsProps {
  workspace: WorkspaceSummary;
  /** The terminal that the address names. */
  chosen: string | undefined;
  onChoose: (id: string | undefined) => void;
}

/** The terminals of a running workspace as tabs; a first visit finds a shell. */
export function Terminals({ workspace, chosen, onChoose }: TerminalsProps) {
  const queryClient = useQueryClient();
  const input = { workspace: workspace.name };
  // Another window or `ssh` may have made or ended one meanwhile.
  const list = useQuery(
    trpc.terminals.list.queryOptions(input, { refetchOnWindowFocus: "always" }),
  );
  const refresh = () => queryClient.invalidateQueries(trpc.terminals.list.queryFilter(input));
  const create = useMutation(
    trpc.terminals.create.mutationOptions({
      meta: { quiet: true },
      onSuccess: async ({ id }) => {
        await refresh();
        onChoose(id);
      },
    }),
  );
  const close = useMutation(
    trpc.terminals.close.mutationOptions({
      meta: { quiet: true },
      onSuccess: () => setClosing(null),
      onSettled: refresh,
    }),
  );
  const [searching, setSearching] = useState(false);
  const [closing, setClosing] = useState<TerminalView | null>(null);
  const [titles, setTitles] = useState<ReadonlyMap<string, string>>(new Map());
  const [visited, setVisited] = useState<ReadonlySet<string>>(new Set());

  const terminals = inOrder(list.data ?? []);
  const hasShell = terminals.some(isOwnShell);
  // The shell of a first visit is on its way: nothing else takes its place, and the focus, until then.
  const awaitsShell = !hasShell && (create.isPending || create.isIdle);
  const selected =
    terminals.find(({ id }) => id === chosen) ?? (awaitsShell ? undefined : firstShell(terminals));
  const titleOf = ({ id, service, title, task }: TerminalView): string =>
    service ?? task ?? titles.get(id) ?? (plainLine(title) || "shell");

  const madeFirst = useRef(false);
  const loaded = list.data !== undefined;
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
    else close.mutate({ ...input, ...named(terminal) });
  };

  return (
    <section aria-label="Terminals" data-terminals className="flex min-h-0 min-w-0 flex-1 flex-col">
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
        <CommandMenu
          workspace={workspace.name}
          disabled={create.isPending}
          onRun={(command) => create.mutate({ ...input, command })}
        />
        {selected !== undefined && (
          <IconButton
            label="Search in the terminal (Ctrl+Shift+F)"
            size="medium"
            aria-pressed={searching}
            onClick={() => setSearching(!searching)}
          >
            <SearchIcon />
          </IconButton>
        )}
      </div>
      {closing === null && <Failure error={create.error ?? close.error} className="m-2" />}
      <div className="relative min-h-0 flex-1 overflow-hidden bg-terminal">
        {terminals
          .filter(({ id }) => visited.has(id))
          .map((terminal) => (
            <TerminalPane
              key={terminal.id}
              workspaceId={
                terminal.service === null ? workspace.id : `${workspace.id}.${terminal.service}`
              }
              terminalId={terminal.id}
              title={titleOf(terminal)}
              ports={workspace.ports}
              visible={terminal.id === selectedId}
              searching={searching && terminal.id === selectedId}
              onSearch={setSearching}
              onTitle={(title) =>
                setTitles((before) => new Map(before).set(terminal.id, plainLine(title) || "shell"))
              }
              onDoubt={() => void refresh()}
              onLeave={() => document.getElementById(`tab-${terminal.id}`)?.focus()}
            />
          ))}
        {selected === undefined && (
          <div className="absolute inset-0 grid place-content-center justify-items-center gap-4 p-6 text-sm text-muted">
            {list.error !== null ? (
              <>
                <Failure error={list.error} />
                <Button onClick={() => void refresh()}>Try again</Button>
              </>
            ) : list.isPending || create.isPending ? (
              <p role="status" className="late flex items-center gap-2">
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
        <Ask
          title={`Close ${titleOf(closing)}?`}
          action="End it"
          keep="Keep it"
          busy={close.isPending}
          error={close.error}
          onConfirm={() => close.mutate({ ...input, ...named(closing) })}
          onClose={() => {
            close.reset();
            setClosing(null);
          }}
        >
          <p>The program that runs in it is ended.</p>
        </Ask>
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
  return terminals.find((each) => isOwnShell(each) && each.running) ?? terminals[0];
}

/** Of the dev container, where people work. */
function isOwnShell({ task, service }: TerminalView): boolean {
  return task === null && service === null;
}

function named({ id, service }: TerminalView): { terminal: string; service: string | null } {
  return { terminal: id, service };
}
