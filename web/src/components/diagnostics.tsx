import { formatDiagnostic, type Diagnostic } from "../../../server/protocol/errors.ts";

/** The mistakes in configuration files: `file:line:column`, the line, and a caret below it. */
export function Diagnostics({ diagnostics }: { diagnostics: readonly Diagnostic[] }) {
  if (diagnostics.length === 0) return null;
  return (
    <ul aria-label="Mistakes in the configuration" className="space-y-3">
      {diagnostics.map((diagnostic) => {
        const [head = "", ...excerpt] = formatDiagnostic(diagnostic).split("\n");
        return (
          <li key={head} className="font-mono text-xs leading-relaxed">
            <p className="break-words">{head}</p>
            {excerpt.length > 0 && (
              <pre className="mt-1 overflow-x-auto rounded-md bg-surface p-2 text-muted">
                {excerpt.join("\n")}
              </pre>
            )}
          </li>
        );
      })}
    </ul>
  );
}
