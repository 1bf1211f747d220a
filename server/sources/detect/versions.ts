/**
 * Of the default image: Debian 12's packages, and the Node.js that comes from npm. What security
 * updates change is not said: Debian's Ruby, Java and PHP follow those of their makers.
 */
export const imageVersions = {
  node: [24],
  python: [3, 11, 2],
  go: [1, 19, 8],
  ruby: [3, 1],
  rust: [1, 63],
  java: [17],
  php: [8, 2],
  elixir: [1, 14],
  erlang: [25, 2],
} as const;

type Part = readonly number[];

/** The numbers of a version, however many: `v20.11` is 20, 11. Null where it is none. */
export function parseVersion(text: string): number[] | null {
  const [, numbers] = /^[v=\s]*(\d{1,5}(?:\.\d{1,5}){0,2})/.exec(text) ?? [];
  return numbers === undefined ? null : numbers.split(".").map(Number);
}

/** Negative where `a` is older; what one of them does not say is not compared. */
export function compare(a: Part, b: Part): number {
  const at = a.findIndex((number, index) => (b[index] ?? number) !== number);
  return at === -1 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}

/** Whether version `have` is in an npm range, as far as both say numbers. */
export function inRange(have: Part, range: string): boolean {
  return range.split("||").some((alternative) => {
    const [, low, high] = /^\s*(\S+)\s+-\s+(\S+)\s*$/.exec(alternative) ?? [];
    const bounds =
      low === undefined || high === undefined
        ? alternative.replaceAll(/([<>=^~]+)\s+/g, "$1").split(/[\s,]+/)
        : [`>=${low}`, `<=${high}`];
    return bounds.every((bound) => meets(have, bound));
  });
}

function meets(have: Part, bound: string): boolean {
  const [, sign = "", text = ""] = /^([<>=^~]*)(.*)$/.exec(bound) ?? [];
  const wanted = parseVersion(text);
  // `*`, `x`, a name: nothing to hold it to.
  if (wanted === null) return true;
  const order = compare(have, wanted);
  switch (sign) {
    case ">=":
      return order >= 0;
    case ">":
      return order > 0 || (order === 0 && have.length > wanted.length);
    case "<=":
      return order <= 0;
    case "<":
      return order < 0;
    case "^":
      return have[0] === wanted[0] && order >= 0;
    // Ruby's and Python's (PEP 440, "Compatible release"): the last number may grow.
    case "~>":
    case "~=": {
      const series = Math.max(wanted.length - 1, 1);
      return compare(have.slice(0, series), wanted.slice(0, series)) === 0 && order >= 0;
    }
    case "~":
      return compare(have.slice(0, 2), wanted.slice(0, 2)) === 0 && order >= 0;
    default:
      return order === 0;
  }
}

/** The newest major version that an npm range names; null for none. */
export function newestNamed(range: string): number | null {
  const majors = [...range.matchAll(/(<(?!=))?[\^~>=v]*\s*(\d{1,5})(?:\.\d+)*/g)].map(
    // Below 21 is 20 at most.
    ([, below, major]) => Number(major) - (below === undefined ? 0 : 1),
  );
  return majors.length === 0 ? null : Math.max(...majors);
}

/**
 * A version or series (`3.12`) for an installer that knows no ranges: the one that is named, or the
 * oldest series that the range allows. Null where it names none.
 */
export function versionIn(range: string): string | null {
  const bounds = [...range.matchAll(/([<>=^~!]*)\s*(\d{1,5}(?:\.\d{1,5}){0,2})/g)].map(
    ([, sign = "", text = ""]) => ({ sign, wanted: parseVersion(text) ?? [] }),
  );
  const named = (isOf: (sign: string) => boolean) => bounds.filter(({ sign }) => isOf(sign));
  const candidates = [
    ...named((sign) => /^=*$/.test(sign)).map(({ wanted }) => wanted),
    ...named((sign) => /^(?:>=?|[\^~]|~>|~=)$/.test(sign)).flatMap(({ wanted }) => {
      const [major = 0, minor] = wanted;
      return minor === undefined
        ? [[major], [major + 1]]
        : [
            [major, minor],
            [major, minor + 1],
          ];
    }),
    ...named((sign) => /^<=?$/.test(sign)).flatMap(({ wanted }) => {
      const [major = 0, minor = 0] = wanted;
      return minor === 0
        ? [[major, minor]]
        : [
            [major, minor],
            [major, minor - 1],
          ];
    }),
  ];
  return candidates.find((candidate) => inRange(candidate, range))?.join(".") ?? null;
}
