/** A shorter value stands in everything. */
const minChars = 4;

/**
 * Says whether a text has the value of one of these variables in it. Compose writes `$PASSWORD` into
 * a command before the engine sees it: such a command is not known.
 *
 * @param env as an engine gives it: `NAME=value`
 */
export function valueFinder(env: readonly string[]): (text: string) => string | null {
  const values = env.flatMap((entry) => {
    const at = entry.indexOf("=");
    if (at < 1) return [];
    const [name, value] = [entry.slice(0, at), entry.slice(at + 1)];
    const parts = [value, ...passwordsIn(value)];
    return parts.filter(isTelling).map((part) => ({ name, part }));
  });
  return (text) => values.find(({ part }) => text.includes(part))?.name ?? null;
}

/** A number says nothing of a variable, nor does a switch. */
function isTelling(value: string): boolean {
  return value.length >= minChars && !/^(?:\d{1,5}|true|false)$/i.test(value);
}

/** In URLs. */
function passwordsIn(value: string): string[] {
  return Array.from(value.matchAll(/:\/\/[^\s/:@]*:([^\s@/]+)@/g), (match) => match[1] ?? "");
}

/** The names of variables, never their values. */
export function namesOf(env: readonly string[]): string[] {
  return env.flatMap((entry) => {
    const at = entry.indexOf("=");
    // Without a sign there is no telling what it is.
    return at < 1 ? [] : [entry.slice(0, at)];
  });
}
