import { useEffect, useRef, useState } from "react";
import type { SearchResults } from "../terminal/view.ts";
import { IconButton } from "./button.tsx";
import { technical } from "./field.tsx";
import { ChevronDownIcon, ChevronUpIcon, CrossIcon } from "./icons.tsx";

/** Finds text in a terminal and what scrolled out of it: Enter the next, Shift and Enter the one before. */
export function TerminalSearch({
  results,
  onFind,
  onClose,
}: {
  results: SearchResults | null;
  onFind: (text: string, direction: "next" | "previous" | "typing") => void;
  onClose: () => void;
}) {
  const [text, setText] = useState("");
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  return (
    <div
      role="search"
      aria-label="Search in the terminal"
      onKeyDown={(event) => {
        if (event.key === "Escape") {
          onClose();
        } else if (event.key === "Enter") {
          event.preventDefault();
          onFind(text, event.shiftKey ? "previous" : "next");
        } else if (event.ctrlKey && event.shiftKey && event.code === "KeyF") {
          event.preventDefault();
          input.current?.select();
        }
      }}
      className="absolute top-2 right-4 z-10 flex max-w-[calc(100%-2rem)] items-center gap-0.5 rounded-lg border border-line bg-surface py-1 pr-1 pl-2 shadow-lg"
    >
      <input
        ref={input}
        type="text"
        aria-label="Text to find"
        placeholder="Find"
        {...technical}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          onFind(event.target.value, "typing");
        }}
        className="h-7 w-36 min-w-0 rounded bg-transparent px-1.5 font-mono text-[13px] sm:w-48"
      />
      <span role="status" className="min-w-14 px-1 text-right text-xs text-muted tabular-nums">
        {text === "" || results === null ? "" : resultWords(results)}
      </span>
      <IconButton label="The one before" size="small" onClick={() => onFind(text, "previous")}>
        <ChevronUpIcon />
      </IconButton>
      <IconButton label="The next one" size="small" onClick={() => onFind(text, "next")}>
        <ChevronDownIcon />
      </IconButton>
      <IconButton label="Close the search" size="small" onClick={onClose}>
        <CrossIcon />
      </IconButton>
    </div>
  );
}

function resultWords({ index, count }: SearchResults): string {
  if (count === 0) return "None";
  // The addon stops to number them where there are very many.
  return index < 0 ? `${count}` : `${index + 1} of ${count}`;
}
