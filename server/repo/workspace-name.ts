/** A workspace's name is part of a DNS label, beside a port and a service (63 characters). */
const maxNameChars = 32;

/**
 * `<repo>-<branch>-<letters>`: [a-z0-9-], without `--`, at most 32 characters; what is too long is
 * cut in the middle, and the letters stay. It never begins with digits and a dash, which would read
 * as the port in `<port>-<workspace>`.
 *
 * @param branch Null for a bare commit.
 * @param letters Three of [a-z], which make the name unique.
 */
export function workspaceName(repo: string, branch: string | null, letters: string): string {
  const maxBaseChars = maxNameChars - letters.length - 1;
  const base = slug(branch === null ? repo : `${repo}-${branch}`) || "workspace";
  const cut = cutMiddle(base, maxBaseChars);
  const safe = /^\d+(-|$)/.test(cut) ? cutMiddle(`w${base}`, maxBaseChars) : cut;
  return `${safe}-${letters}`;
}

function slug(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "");
}

function cutMiddle(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text;
  const tailChars = Math.floor((maxChars - 1) / 2);
  const head = text.slice(0, maxChars - 1 - tailChars).replace(/-$/, "");
  const tail = text.slice(-tailChars).replace(/^-/, "");
  return `${head}-${tail}`;
}
