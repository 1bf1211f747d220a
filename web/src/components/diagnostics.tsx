import { formatDiagnostic, type Diagnostic } from "../../../server/protocol/errors.ts";
import { plainText } from "../lib/plain-text.ts";

/**
 * The mistakes in configuration files: `file:line:column`, the line, and a caret below it. With
 * `onJump`, each leads to its place in an editor.
 */
export function Diagnostics({
  diagnostics,
  onJump,
}: {
  diagnostics: readonly Diagnostic[];
  onJump?: (diagnostic: Diagnostic) => void;
}) {
  if (diagnostics.length === 0) return null;
  return (
    <ul aria-label="Mistakes in the configuration" className="space-y-3">
      {diagnostics.map((diagnostic) => {
        const { file, line, column, message } = diagnostic;
        const [head = "", ...excerpt] = formatDiagnostic(diagnostic).split("\n");
        const place = `${file}:${line}:${column}`;
        return (
          <li key={head} className="text-[13px]">
            <p className="break-words">
              {onJump === undefined ? (
                <span className="font-mono text-xs text-muted">{place}</span>
              ) : (
                <button
                  type="button"
                  onClick={() => onJump(diagnostic)}
                  className="rounded font-mono text-xs text-muted underline underline-offset-2 hover:text-ink"
                >
                  {place}
                </button>
              )}{" "}
              {plainText(message)}
            </p>
            {excerpt.length > 0 && (
              <pre
                tabIndex={0}
                aria-label={`Line ${line} of ${file}`}
                className="mt-1 overflow-x-auto rounded-md border border-line bg-surface px-2.5 py-1.5 font-mono text-xs leading-relaxed text-ink"
              >
                {plainText(excerpt.join("\n"))}
              </pre>
            )}
          </li>
        );
      })}
    </ul>
  );
}
