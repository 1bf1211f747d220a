import { useRef, type KeyboardEvent } from "react";
import type { TerminalView } from "../../../server/protocol/workspace.ts";
import { IconButton } from "./button.tsx";
import { CrossIcon, PlusIcon, SpinnerIcon, TaskIcon, TerminalIcon } from "./icons.tsx";

interface TerminalTabListProps {
  terminals: readonly TerminalView[];
  selected: string | undefined;
  titleOf: (terminal: TerminalView) => string;
  creating: boolean;
  onSelect: (id: string) => void;
  onClose: (terminal: TerminalView) => void;
  onCreate: () => void;
}

/** The tabs: arrow keys, Home and End walk them; Delete closes one. */
export function TerminalTabList(props: TerminalTabListProps) {
  const { terminals, selected, titleOf } = props;
  const list = useRef<HTMLDivElement>(null);

  const onKeyDown = (event: KeyboardEvent): void => {
    const at = terminals.findIndex(({ id }) => id === selected);
    const current = terminals[at];
    if (event.key === "Delete" && current !== undefined) {
      props.onClose(current);
      return;
    }
    const next = walk(event.key, at, terminals.length);
    const target = next === null ? undefined : terminals[next];
    if (target === undefined) return;
    event.preventDefault();
    props.onSelect(target.id);
    list.current?.querySelector<HTMLElement>(`#tab-${CSS.escape(target.id)}`)?.focus();
  };

  return (
    <div className="flex min-w-0 flex-1 items-center">
      <div
        ref={list}
        role="tablist"
        aria-label="Terminals"
        onKeyDown={onKeyDown}
        className="flex min-w-0 items-stretch gap-1 overflow-x-auto py-1.5 pl-1 [scrollbar-width:none]"
      >
        {terminals.map((terminal) => {
          const { id, task, running } = terminal;
          const active = id === selected;
          const title = titleOf(terminal);
          return (
            <div
              key={id}
              role="presentation"
              className={`group flex h-8 max-w-56 shrink-0 items-center rounded-lg border pr-1 text-[13px] ${
                active
                  ? "border-line bg-terminal text-ink"
                  : "border-transparent text-muted hover:bg-hover hover:text-ink"
              }`}
            >
              <button
                type="button"
                role="tab"
                id={`tab-${id}`}
                aria-selected={active}
                aria-controls={`panel-${id}`}
                tabIndex={active ? 0 : -1}
                onClick={() => props.onSelect(id)}
                title={title}
                aria-description="Delete closes it"
                className="flex h-full min-w-0 items-center gap-1.5 rounded-lg pr-1 pl-2.5 focus-visible:-outline-offset-2"
              >
                {task === null ? (
                  <TerminalIcon className="size-3.5" />
                ) : (
                  <TaskIcon className="size-3.5" />
                )}
                <span className={`truncate ${running ? "" : "line-through decoration-muted/60"}`}>
                  {title}
                </span>
                {!running && <span className="sr-only">, ended</span>}
              </button>
              <button
                type="button"
                // For pointers: a list of tabs holds tabs only, and Delete closes one by the keyboard.
                aria-hidden="true"
                title="Close"
                tabIndex={-1}
                onClick={() => props.onClose(terminal)}
                className={`rounded p-0.5 hover:bg-line group-hover:opacity-100 ${
                  active ? "opacity-70" : "opacity-0"
                }`}
              >
                <CrossIcon className="size-3.5" />
              </button>
            </div>
          );
        })}
      </div>
      <IconButton
        label="New terminal"
        size="medium"
        className="mx-1"
        disabled={props.creating}
        onClick={props.onCreate}
      >
        {props.creating ? <SpinnerIcon /> : <PlusIcon />}
      </IconButton>
    </div>
  );
}

/** The tab that a key leads to from the one at `at`, of `count`. */
function walk(key: string, at: number, count: number): number | null {
  switch (key) {
    case "ArrowRight":
      return (at + 1) % count;
    case "ArrowLeft":
      return (at - 1 + count) % count;
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return null;
  }
}
