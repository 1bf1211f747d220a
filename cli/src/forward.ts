import { Failure } from "./failure.ts";

/** One port of this machine that leads to one of a workspace. */
export interface Forward {
  readonly local: number;
  /** As the workspace resolves it. */
  readonly host: string;
  readonly remote: number;
}

/**
 * `3000` (both the same), `8080:3000`, or `5433:database:5432` with a host as the workspace names
 * it.
 *
 * @throws Failure `usage`
 */
export function parseForward(text: string): Forward {
  const parts = text.split(":");
  const local = portOf(parts[0]);
  const remote = portOf(parts.at(-1));
  const host = parts.length === 3 ? (parts[1] ?? "") : "localhost";
  if (
    parts.length <= 3 &&
    isPort(local) &&
    isPort(remote) &&
    /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(host)
  ) {
    return { local, host, remote };
  }
  throw new Failure(
    "usage",
    `${text} is no forward. Give LOCAL:REMOTE such as 8080:3000, one number for both, or ` +
      "LOCAL:HOST:REMOTE such as 5432:database:5432.",
  );
}

function portOf(text = ""): number {
  return /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}

/** Bound to this machine's loopback alone, whatever the user's GatewayPorts says. */
export function forwardArguments(forwards: readonly Forward[]): string[] {
  return forwards.flatMap(({ local, host, remote }) => [
    "-L",
    `127.0.0.1:${local}:${host}:${remote}`,
  ]);
}

export function forwardLine({ local, host, remote }: Forward, workspace: string): string {
  const far = host === "localhost" ? `port ${remote}` : `${host}:${remote}`;
  return `127.0.0.1:${local} → ${far} of ${workspace}`;
}
