import { useId, useRef, type KeyboardEvent } from "react";
import type { Diagnostic } from "../../../server/protocol/errors.ts";
import { indented, newLine, offsetOf, outdented, type Edit } from "../lib/editing.ts";

/** Replaces text as typing does, so that the browser's own undo takes it back. */
function apply(area: HTMLTextAreaElement, edit: Edit): void {
  area.setSelectionRange(edit.from, edit.to);
  // Every other way of setting a text area's text empties its undo history.
  const command = edit.insert === "" ? "delete" : "insertText";
  document.execCommand(command, false, edit.insert);
  area.setSelectionRange(edit.start, edit.end);
}

interface DevfileEditorProps {
  path: string;
  text: string;
  diagnostics: readonly Diagnostic[];
  onChange: (text: string) => void;
}

/**
 * A text area with line numbers. Tab indents; Escape and then Tab leaves it, so that the keyboard is
 * not trapped. It is as high as its text: what is around it scrolls.
 */
export function DevfileEditor({ path, text, diagnostics, onChange }: DevfileEditorProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  const leaving = useRef(false);
  const id = useId();
  const lines = text.split("\n").length;
  const marked = new Set(diagnostics.map(({ line }) => line));

  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>): void => {
    const { key, currentTarget } = event;
    if (key === "Escape") {
      leaving.current = true;
      return;
    }
    // Shift comes before the Tab that it belongs to.
    if (key === "Shift") return;
    const leaves = leaving.current;
    leaving.current = false;
    if (event.ctrlKey || event.altKey || event.metaKey || event.nativeEvent.isComposing) return;
    const { value, selectionStart: start, selectionEnd: end } = currentTarget;
    const editing = { text: value, start, end };
    if (key === "Tab" && !leaves) {
      event.preventDefault();
      apply(currentTarget, event.shiftKey ? outdented(editing) : indented(editing));
    } else if (key === "Enter") {
      event.preventDefault();
      apply(currentTarget, newLine(editing));
    }
  };

  return (
    <div>
      <label htmlFor={id} className="text-[13px] font-medium">
        {path}
      </label>
      <div className="mt-1.5 flex max-h-[60dvh] overflow-y-auto rounded-lg border border-line-strong bg-surface font-mono text-[13px] leading-6">
        <ol
          aria-hidden="true"
          className="shrink-0 bg-sunken py-2 text-right text-muted select-none"
        >
          {Array.from({ length: lines }, (_, index) => (
            <li
              // A line has no identity but its number.
              // oxlint-disable-next-line react/no-array-index-key
              key={index}
              className={`pr-2.5 pl-3 ${marked.has(index + 1) ? "bg-bad-soft font-semibold text-bad" : ""}`}
            >
              {index + 1}
            </li>
          ))}
        </ol>
        <textarea
          ref={area}
          id={id}
          name="devfile"
          data-editor
          aria-describedby={`${id}-help`}
          rows={Math.max(lines, 8)}
          wrap="off"
          spellCheck={false}
          autoCapitalize="off"
          autoComplete="off"
          autoCorrect="off"
          value={text}
          onChange={(event) => onChange(event.target.value)}
          onKeyDown={onKeyDown}
          onBlur={() => (leaving.current = false)}
          className="min-w-0 flex-1 resize-none overflow-y-hidden bg-transparent px-3 py-2 focus-visible:-outline-offset-2"
        />
      </div>
      <p id={`${id}-help`} className="mt-1.5 text-[13px] text-muted">
        Tab indents. Press Esc and then Tab to leave the editor.
      </p>
    </div>
  );
}

/** Moves the focus to a mistake's place in the editor of this page, and selects it. */
export function jumpTo({ line, column, length }: Diagnostic): void {
  const area = document.querySelector<HTMLTextAreaElement>("textarea[data-editor]");
  if (area === null) return;
  const start = offsetOf(area.value, line, column);
  area.focus();
  area.setSelectionRange(start, Math.min(start + length, area.value.length));
}
