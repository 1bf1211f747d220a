import { useLayoutEffect, useMemo, useRef, useState, type Ref } from "react";
import { absoluteTime, timeOfDay } from "../lib/format.ts";
import type { LogLine } from "../lib/log-buffer.ts";
import { cutAt, layoutOf, lineAt, type Layout } from "../lib/log-layout.ts";
import { Button } from "./button.tsx";
import { ChevronDownIcon } from "./icons.tsx";

const rowHeightPx = 20;
/** Rows above and below what is seen, so that scrolling shows no gaps. */
const spareRows = 20;
/** As near to the end as this counts as at it. */
const nearEndPx = 30;

const nameColors = [
  ...["text-name-1", "text-name-2", "text-name-3", "text-name-4", "text-name-5", "text-name-6"],
];

interface LogTextProps {
  lines: readonly LogLine[];
  /** All services, each with a colour of its own. */
  names: readonly string[];
  /** Each line has its service's name. */
  named: boolean;
  /** Marked wherever it stands. */
  found: string;
  /** The line to be shown, by its id. */
  current: number | null;
  held: boolean;
  /** Lines that came since it is held. */
  more: number;
  onHold: (holding: boolean) => void;
  /** What to say where there is no line. */
  nothing: string;
}

/** Lines of logs, of which only those that are seen are in the page. */
export function LogText(props: LogTextProps) {
  const { lines, current, held, more, onHold, nothing } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const probe = useRef<HTMLSpanElement>(null);
  const [view, setView] = useState({ top: 0, height: 0, columns: 80 });
  const layout = useMemo(() => layoutOf(lines, view.columns), [lines, view.columns]);

  const look = (): void => {
    const element = scroller.current;
    if (element === null) return;
    const { scrollTop: top, clientHeight: height } = element;
    setView((before) => ({ ...before, top, height }));
  };
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return undefined;
    const measure = (): void => {
      look();
      const columns = columnsIn(probe.current);
      if (columns !== null) setView((before) => ({ ...before, columns }));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  // After each change of what is shown, the end is in sight again, unless somebody reads.
  useLayoutEffect(() => {
    const element = scroller.current;
    if (element !== null && !held) element.scrollTop = element.scrollHeight;
  }, [layout, held]);
  useLayoutEffect(() => {
    const element = scroller.current;
    const index = lines.findIndex(({ id }) => id === current);
    if (element === null || index === -1) return;
    const top = (layout.starts[index] ?? 0) * rowHeightPx;
    element.scrollTop = top - element.clientHeight / 2;
    // oxlint-disable-next-line react/exhaustive-deps -- not again with each line that comes
  }, [current, view.columns]);

  const first = lineAt(layout, Math.floor(view.top / rowHeightPx) - spareRows);
  const last = lineAt(layout, Math.ceil((view.top + view.height) / rowHeightPx) + spareRows);
  return (
    <div className="relative min-h-0 flex-1">
      <div
        ref={scroller}
        // Focusable, so that the keyboard can scroll it.
        tabIndex={0}
        role="group"
        aria-label="Lines of the logs"
        data-log
        data-held={held}
        onScroll={(event) => {
          look();
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          const atEnd = scrollHeight - scrollTop - clientHeight < nearEndPx;
          if (!atEnd && !held) onHold(true);
        }}
        className="absolute inset-0 overflow-x-hidden overflow-y-auto font-mono text-xs focus-visible:-outline-offset-2"
      >
        <div className="relative" style={{ height: layout.rows * rowHeightPx }}>
          <Row probe={probe} {...props} line={measured} top={0} height={0} />
          {lines.slice(first, last + 1).map((line, offset) => (
            <Row key={line.id} {...props} line={line} {...placeOf(layout, first + offset)} />
          ))}
        </div>
      </div>
      {lines.length === 0 && (
        <p className="absolute inset-0 grid place-content-center p-6 text-center text-sm text-pretty text-muted">
          {nothing}
        </p>
      )}
      {held && (
        <div className="pointer-events-none absolute inset-x-0 bottom-3 flex justify-center">
          <Button
            size="small"
            className="pointer-events-auto shadow-lg"
            onClick={() => onHold(false)}
          >
            <ChevronDownIcon className="size-3.5" />
            {more === 0 ? "To the end" : `${more.toLocaleString("en")} new`}
          </Button>
        </div>
      )}
    </div>
  );
}

/** Stands for the width that a line's text has. */
const measured: LogLine = { id: 0, service: "", at: null, stream: "stdout", text: "" };

function columnsIn(text: HTMLSpanElement | null): number | null {
  if (text === null) return null;
  const canvas = document.createElement("canvas").getContext("2d");
  if (canvas === null) return null;
  canvas.font = getComputedStyle(text).font;
  const character = canvas.measureText("0").width;
  return character === 0 ? null : Math.max(10, Math.floor(text.clientWidth / character));
}

function placeOf({ starts }: Layout, index: number): { top: number; height: number } {
  const [from = 0, to = 0] = [starts[index], starts[index + 1]];
  return { top: from * rowHeightPx, height: (to - from) * rowHeightPx };
}

interface RowProps extends Pick<LogTextProps, "names" | "named" | "found" | "current"> {
  line: LogLine;
  top: number;
  height: number;
  probe?: Ref<HTMLSpanElement>;
}

function Row({ line, names, named, found, current, top, height, probe }: RowProps) {
  const { id, service, at, stream, text } = line;
  const color = nameColors[Math.max(0, names.indexOf(service)) % nameColors.length] ?? "";
  const isMeasure = probe !== undefined;
  return (
    <div
      aria-hidden={isMeasure || undefined}
      data-line={isMeasure ? undefined : stream}
      className={`absolute inset-x-0 flex gap-2.5 overflow-hidden border-l-2 pr-3 pl-2.5 leading-5 ${
        stream === "stderr" ? "border-wait" : "border-transparent"
      } ${id === current && !isMeasure ? "bg-accent-soft" : ""}`}
      style={{ top, height }}
    >
      <span
        className="hidden w-16 shrink-0 text-muted tabular-nums sm:inline"
        title={at === null ? undefined : absoluteTime(at)}
      >
        {at === null ? "" : timeOfDay(at)}
      </span>
      {named && (
        <span className={`w-20 shrink-0 truncate font-medium sm:w-28 ${color}`} title={service}>
          {service}
        </span>
      )}
      <span
        ref={probe}
        className={`min-w-0 flex-1 break-all whitespace-pre-wrap ${
          stream === "note" ? "text-muted italic" : ""
        }`}
      >
        {stream === "stderr" && <span className="sr-only">Standard error: </span>}
        <Marked text={text} found={found} />
      </span>
    </div>
  );
}

function Marked({ text, found }: { text: string; found: string }) {
  const parts = cutAt(text, found);
  if (parts.length === 1) return text;
  return parts.map((part, index) =>
    index % 2 === 0 ? (
      part
    ) : (
      // oxlint-disable-next-line react/no-array-index-key -- parts of a text have no other name
      <mark key={index} className="rounded-xs bg-wait-soft text-wait">
        {part}
      </mark>
    ),
  );
}
