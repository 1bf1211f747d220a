import { pino, type Logger } from "pino";

import { escapeControls } from "../protocol/text.ts";

export type Log = Logger;

/**
 * The control plane's log: JSON lines on standard error, or into a file. What a program or a git
 * server said stands in them too: whoever reads them in a terminal is not steered by it.
 */
export function createLog(options: { level: string; file?: string }): Log {
  const destination =
    options.file === undefined
      ? pino.destination({ dest: 2, sync: true })
      : pino.destination({ dest: options.file, mkdir: true, sync: true });
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: ["*.token", "*.secret", "*.password", "headers.authorization", "headers.cookie"],
    },
    { write: (line) => destination.write(escapeControls(line)) },
  );
}
