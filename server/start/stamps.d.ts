export function stampOf(
  root: string,
  options: { readonly inputs: readonly string[]; readonly extra?: string },
): string;
export function isFresh(options: {
  readonly file: string;
  readonly stamp: string;
  readonly output: string;
}): boolean;
export function writeStamp(file: string, stamp: string): void;
export function fileDigest(path: string): string;
export function installedMatchesLock(root: string): boolean;
