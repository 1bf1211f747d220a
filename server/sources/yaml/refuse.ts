import type { SourceText } from "./source-text.ts";
import { fileError } from "./words.ts";

/**
 * Whether a text is none that is read: too large, or no UTF-8. That is reported at its beginning.
 *
 * @param maxChars In UTF-16 code units.
 */
export function refuseText(source: SourceText, maxChars: number): boolean {
  const start = { start: 0, end: 1 };
  if (source.text.length > maxChars) {
    const advice = `The file is larger than ${maxChars} characters: split it.`;
    source.report(start, fileError("file-too-large", advice));
    return true;
  }
  // What was UTF-16 has a NUL in every other place, and its byte order mark is no UTF-8.
  if (/^\uFFFD\uFFFD|\0/.test(source.text)) {
    const advice = "This file is not UTF-8 text (UTF-16, perhaps): save it as UTF-8.";
    source.report(start, fileError("not-utf-8", advice));
    return true;
  }
  return false;
}
