/** Each level has nine of the one below: 9¹⁰ values. */
export const laughs = Array.from("abcdefghij", (letter, at) => {
  const inner = at === 0 ? "x" : `*${"abcdefghij"[at - 1]}`;
  return `${letter}: &${letter} [${Array.from({ length: 9 }, () => inner).join(",")}]`;
}).join("\n");

/** Each map has the one before it three times. */
export const mergeBomb = Array.from({ length: 30 }, (_, at) =>
  at === 0
    ? "m0: &m0 {k: v}"
    : `m${at}: &m${at} {a${at}: *m${at - 1}, b${at}: *m${at - 1}, <<: *m${at - 1}}`,
).join("\n");
