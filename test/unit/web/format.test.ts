import { expect, test } from "vitest";
import { cleanTitle, shortRepository, since, sshCommand } from "../../../web/src/lib/format.ts";

test("a terminal's title cannot reorder, hide or overflow what is around it", () => {
  expect(cleanTitle("vim \u202egpj.exe\u0007\u200b")).toBe("vim gpj.exe");
  expect(cleanTitle("x".repeat(5000))).toHaveLength(80);
  expect(cleanTitle("\u0000\u001b")).toBe("");
});

test.each([
  ["https://git.example.org/owner/app.git", "git.example.org/owner/app"],
  ["https://user@git.example.org/owner/app", "git.example.org/owner/app"],
  ["file:///srv/git/app.git", "/srv/git/app"],
])("%s is shown as %s", (repository, shown) => {
  expect(shortRepository(repository)).toBe(shown);
});

test("the ssh command names the port only where ssh needs it", () => {
  expect(sshCommand({ host: "localhost", port: 7722, user: "w" })).toBe("ssh -p 7722 w@localhost");
  expect(sshCommand({ host: "example.org", port: 22, user: "w" })).toBe("ssh w@example.org");
});

test("a time span has one digit below 100 s and minutes above", () => {
  const start = "2026-01-01T00:00:00.000Z";
  expect(since(start, "2026-01-01T00:00:01.250Z")).toBe("+1.3 s");
  expect(since(start, "2026-01-01T00:05:00.000Z")).toBe("+5 min");
});
