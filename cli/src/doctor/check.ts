export interface Check {
  readonly name: string;
  /** `warn`: it works, and could fail or be slow. */
  readonly status: "ok" | "warn" | "bad";
  /** What was found. */
  readonly detail: string;
  /** What that means for the user; null where all is well. */
  readonly means: string | null;
  /** The command, or the line of a file, that mends it; null where nothing is to mend. */
  readonly mend: string | null;
}

export function good(name: string, detail: string): Check {
  return { name, status: "ok", detail, means: null, mend: null };
}

export function trouble(
  status: "warn" | "bad",
  name: string,
  found: { readonly detail: string; readonly means: string; readonly mend: string },
): Check {
  return { name, status, ...found };
}

/** Of `20.19.1`, the first two numbers against these. */
export function isAtLeast(version: string, [leastMajor, leastMinor]: readonly [number, number]) {
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10) || 0);
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}
