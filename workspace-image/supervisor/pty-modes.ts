/** Modes of RFC 4254 section 8 that are characters, and what stty(1) calls them. */
const characters: Readonly<Record<string, string>> = {
  VINTR: "intr",
  VQUIT: "quit",
  VERASE: "erase",
  VKILL: "kill",
  VEOF: "eof",
  VEOL: "eol",
  VEOL2: "eol2",
  VSTART: "start",
  VSTOP: "stop",
  VSUSP: "susp",
  VREPRINT: "rprnt",
  VWERASE: "werase",
  VLNEXT: "lnext",
  VSWTCH: "swtch",
};

/** Those that are on or off; stty calls them the same, in small letters. */
const flags: ReadonlySet<string> = new Set(
  (
    "IGNPAR PARMRK INPCK ISTRIP INLCR IGNCR ICRNL IUCLC IXON IXANY IXOFF IMAXBEL IUTF8 ISIG ICANON " +
    "XCASE ECHO ECHOE ECHOK ECHONL NOFLSH TOSTOP IEXTEN ECHOCTL ECHOKE OPOST OLCUC ONLCR OCRNL " +
    "ONOCR ONLRET PARENB PARODD"
  ).split(" "),
);

/** RFC 4254 section 8: "255 if none". */
const noCharacter = 255;

/**
 * The arguments by which stty(1), BusyBox's and GNU's, makes a terminal as a client wants it. What
 * has no meaning on Linux (VDSUSP, VSTATUS) or in a pseudo-terminal (speeds, bits) is left out:
 * one setting that stty does not know, and it would set none.
 */
export function sttyArguments(modes: Readonly<Record<string, number>>): string[] {
  return Object.entries(modes).flatMap(([name, value]) => {
    const character = characters[name];
    if (character !== undefined) return [character, characterArgument(value)];
    if (flags.has(name)) return [`${value === 0 ? "-" : ""}${name.toLowerCase()}`];
    return [];
  });
}

/** As a number only where nothing else will do: a single digit would be the digit's character. */
function characterArgument(code: number): string {
  if (code <= 0 || code >= noCharacter) return "undef";
  // A space would part the arguments.
  if (code === 0x20) return String(code);
  if (code < 0x20) return `^${String.fromCodePoint(code + 0x40)}`;
  if (code === 0x7f) return "^?";
  return code < 0x7f ? String.fromCodePoint(code) : String(code);
}
