import { expect, test } from "vitest";
import { sttyArguments } from "../../../workspace-image/supervisor/pty-modes.ts";
import { withoutQueries } from "../../../workspace-image/supervisor/replay.ts";

test("modes become stty's arguments: characters as it reads them, flags with and without a minus", () => {
  const characters = {
    VINTR: 3,
    VERASE: 127,
    VKILL: 64,
    VEOL: 255,
    VSUSP: 0,
    VLNEXT: 32,
    VEOF: 200,
  };
  expect(sttyArguments(characters)).toEqual(
    [
      ["intr", "^C", "erase", "^?", "kill", "@", "eol", "undef", "susp", "undef"],
      ["lnext", "32", "eof", "200"],
    ].flat(),
  );
  expect(sttyArguments({ ECHO: 0, IUTF8: 1, ONLCR: 7 })).toEqual(["-echo", "iutf8", "onlcr"]);
});

test("what would make stty fail, or is no terminal's business, is left out", () => {
  const others = {
    VDSUSP: 25,
    VSTATUS: 20,
    VDISCARD: 15,
    PENDIN: 1,
    CS7: 1,
    CS8: 0,
    "; reboot": 1,
  };
  expect(sttyArguments(others)).toEqual([]);
});

test.each([
  ["DA1", "\x1b[c"],
  ["DA2", "\x1b[>0c"],
  ["DSR", "\x1b[6n"],
  ["XTVERSION", "\x1b[>q"],
  ["DECRQM", "\x1b[?2026$p"],
  ["the kitty keyboard", "\x1b[?u"],
  ["the window's size", "\x1b[18t"],
  ["the window's position", "\x1b[13;2t"],
  ["a palette's colour", "\x1b]4;1;?\x1b\\"],
  ["the background's colour", "\x1b]11;?\x07"],
  ["the clipboard", "\x1b]52;c;?\x07"],
  ["DECRQSS", "\x1bP$qm\x1b\\"],
  ["ENQ", "\x05"],
])("a terminal that is shown once more is not asked again: %s", (_, query) => {
  const bytes = Buffer.from(`grün ${query}\x1b[31mred`);
  expect(withoutQueries(bytes).toString()).toBe("grün \x1b[31mred");
});

test.each([
  "\x1b[2J\x1b[1;1H",
  "\x1b[?25h",
  "\x1b]0;title?\x07",
  "\x1b[8;24;80t",
  "\x1b[5 q",
  "cn",
])("and what it shows stays: %j", (output) => {
  expect(withoutQueries(Buffer.from(output)).toString()).toBe(output);
});
