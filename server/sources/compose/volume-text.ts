/** A mount as one word: `[SOURCE:]TARGET[:OPTIONS]`. */
export interface VolumeText {
  /** Null: a volume without a name. */
  readonly source: string | null;
  readonly target: string;
  readonly options: readonly string[];
}

/** Null: it is none. A letter before the first colon is a Windows drive. */
export function splitVolume(text: string): VolumeText | null {
  const parts = text.split(/(?<!^[A-Za-z]|:[A-Za-z]):/);
  const [first = "", second, options, ...more] = parts;
  if (parts.some((part) => part === "") || more.length > 0) return null;
  if (second === undefined) return { source: null, target: first, options: [] };
  return { source: first, target: second, options: options?.split(",") ?? [] };
}

/** Whether a mount's source is a path; else it is a volume's name. */
export function isPath(source: string): boolean {
  return /^[./~\\]|^[A-Za-z]:/.test(source);
}
