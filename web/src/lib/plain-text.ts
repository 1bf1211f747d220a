// What a program in a workspace, a build or a git server says is a stranger's word: these functions
// make it text that shows as what it is, whatever it holds.

/** Escape sequences of terminals: CSI, OSC (ended by BEL or ST), and the two-character ones. */
const escapeSequences =
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[ -/]*[0-~])/g;

/** What controls, hides or reorders text, but for the line feed and the tab. */
const hidden = /[^\P{Cc}\n\t]|[\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu;

/** Several lines of output, without colours and without what would reorder or hide text. */
export function plainText(text: string): string {
  return text.replaceAll(escapeSequences, "").replaceAll("\r\n", "\n").replaceAll(hidden, "");
}

/** One line, such as a name or a title, of at most `maxLength` UTF-16 code units. */
export function plainLine(text: string, maxLength = 80): string {
  return plainText(text)
    .replaceAll(/[\n\t]+/g, " ")
    .trim()
    .slice(0, maxLength);
}

/** The address as a link's target; null unless it is an http or https URL. */
export function webUrl(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
}
