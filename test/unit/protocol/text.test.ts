import { expect, test } from "vitest";
import { clean } from "../../../server/protocol/text.ts";

test("text from elsewhere cannot steer the terminal", () => {
  expect(clean("\u001B[31mred\u001B[0m \u001B]0;title\u0007x")).toBe("red x");
  expect(clean("\u001B]8;;http://evil\u001B\\link\u001B]8;;\u001B\\")).toBe("link");
  expect(clean("a\r\nb\tc\u0008\u009B31m")).toBe("a b c31m");
  expect(clean("abc\u202Etxt.exe")).toBe("abctxt.exe");
  expect(clean("Grüße, 世界 👋")).toBe("Grüße, 世界 👋");
});
