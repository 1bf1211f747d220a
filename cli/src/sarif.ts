import type { Diagnostic } from "./wire.ts";

/** SARIF 2.1.0 (OASIS), as far as code hosts read it: a rule for each code, a result for each place. */
export function sarif(diagnostics: readonly Diagnostic[], version: string): unknown {
  const rules = [...new Set(diagnostics.map(({ code }) => code))].toSorted();
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: { name: "Oneloop", version, rules: rules.map((id) => ({ id })) },
        },
        columnKind: "utf16CodeUnits",
        results: diagnostics.map(({ file, line, column, length, severity, code, message }) => ({
          ruleId: code,
          ruleIndex: rules.indexOf(code),
          level: severity,
          message: { text: message },
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: fileUri(file) },
                region: { startLine: line, startColumn: column, endColumn: column + length },
              },
            },
          ],
        })),
      },
    ],
  };
}

/** Relative where the file's name is: a code host takes it from the repository's root. */
function fileUri(file: string): string {
  const path = file.replace(/^\.\//, "").split("/").map(encodeURIComponent).join("/");
  return path.startsWith("/") ? `file://${path}` : path;
}
