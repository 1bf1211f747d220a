import { readFileSync } from "node:fs";

/** The package's folder: as deep above this file in `cli/src` as above the bundle in `dist/cli`. */
export const root = new URL("../../", import.meta.url);

/** The package's. */
export function version(): string {
  const text = readFileSync(new URL("package.json", root), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
