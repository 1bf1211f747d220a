import type { Finding } from "./source-text.ts";

/** An error about the file as YAML. */
export function fileError(code: string, message: string): Finding {
  return { severity: "error", code, message };
}

/** A devfile needs about 8 levels, a Kubernetes object about 20. */
export const maxDepth = 64;

export const tooDeep = fileError(
  "too-deep",
  `This is nested more than ${maxDepth} levels deep: flatten the structure.`,
);
