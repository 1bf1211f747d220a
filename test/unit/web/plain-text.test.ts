import { expect, test } from "vitest";
import { plainLine, plainText, webUrl } from "../../../web/src/lib/plain-text.ts";

test("a name or title cannot reorder, hide, overflow or break what is around it", () => {
  expect(plainLine("vim \u202egpj.exe\u0007\u200b")).toBe("vim gpj.exe");
  expect(plainLine("a\nb\tc")).toBe("a b c");
  expect(plainLine("x".repeat(5000))).toHaveLength(80);
  expect(plainLine("\u0000\u001b")).toBe("");
});

test("colours, cursor movements and titles in output are no text", () => {
  expect(plainText("\u001b[1;31mred\u001b[0m \u001b]0;title\u0007done\u001b]8;;x\u001b\\")).toBe(
    "red done",
  );
  expect(plainText("one\r\n\ttwo\u001b[2K\rthree")).toBe("one\n\ttwothree");
  expect(plainText("<b>&amp;</b>")).toBe("<b>&amp;</b>");
});

test.each(["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//host", "x"])(
  "%s is no link",
  (text) => {
    expect(webUrl(text)).toBeNull();
  },
);

test("http and https are links", () => {
  expect(webUrl("http://3000-w.localhost:7700/")).toBe("http://3000-w.localhost:7700/");
  expect(webUrl("https://example.org/a?b#c")).toBe("https://example.org/a?b#c");
});
