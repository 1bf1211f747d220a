/**
 * Questions to a terminal, which it answers as if somebody typed: who it is, where the cursor
 * stands, what is set, which colours it has, how large it is (ECMA-48 and xterm's ctlseqs).
 */
const queries = new RegExp(
  [
    // DA1–3, DSR, XTVERSION, DECRQM, the kitty keyboard's state, window reports, DECREQTPARM.
    String.raw`\x1b\[[?>=]?[0-9;]*c`,
    String.raw`\x1b\[\??[0-9;]*n`,
    String.raw`\x1b\[>[0-9;]*q`,
    String.raw`\x1b\[\??[0-9;]*\$p`,
    String.raw`\x1b\[\?u`,
    String.raw`\x1b\[(?:1[13-68-9]|2[01])(?:;[0-9]*)*t`,
    String.raw`\x1b\[[01]?x`,
    // OSC with a question mark for a value; DECRQSS and XTGETTCAP.
    String.raw`\x1b\][0-9]+;(?:[0-9a-z]*;)?\?(?:\x07|\x1b\\)`,
    String.raw`\x1bP[$+]q[^\x1b]*\x1b\\`,
    // ENQ.
    String.raw`\x05`,
  ].join("|"),
  "g",
);

/** Output of a terminal that is shown once more: the same, without the questions in it. */
export function withoutQueries(output: Buffer): Buffer {
  return Buffer.from(output.toString("latin1").replaceAll(queries, ""), "latin1");
}
