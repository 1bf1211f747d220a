import { readFileSync, unlinkSync } from "node:fs";

/**
 * For the tests of what a power cut leaves: ends this process, as one would, at a named phase of its
 * work. `ONELOOP_TEST_CRASH_FILE` names a file, and the file the phase; it is removed first, so that
 * the next start goes on. It is no setting: without the variable there is nothing that could end.
 *
 * @returns `undefined` without the variable.
 */
export function crashOnPhase(
  env: Readonly<Record<string, string | undefined>>,
): ((phase: string) => void) | undefined {
  const file = env["ONELOOP_TEST_CRASH_FILE"];
  if (file === undefined || file === "") return undefined;
  return (phase) => {
    if (readOrEmpty(file) !== phase) return;
    unlinkSync(file);
    process.kill(process.pid, "SIGKILL");
  };
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "";
  }
}
