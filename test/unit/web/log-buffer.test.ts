import { expect, test } from "vitest";
import { LogBuffer, maxLineLength, maxLines, shownText } from "../../../web/src/lib/log-buffer.ts";
import { columnsOf, cutAt, layoutOf, lineAt } from "../../../web/src/lib/log-layout.ts";
import { serviceWords } from "../../../web/src/lib/service-words.ts";
import { readWorkspaceSearch } from "../../../web/src/lib/workspace-views.ts";

type Update = Parameters<LogBuffer["push"]>[0];

function output(service: string, ...texts: readonly string[]): Update {
  return {
    kind: "output",
    pieces: texts.map((text) => ({ service, at: "2026-01-05T09:00:00Z", stream: "stdout", text })),
  };
}

function textsOf(buffer: LogBuffer): string[] {
  return buffer.lines().map(({ service, text }) => `${service} ${text}`);
}

test("lines of several services come in order, whole also where they came in parts", () => {
  const buffer = new LogBuffer(2);
  buffer.push(output("db", "rea"));
  buffer.push(output("web", "GET /\n"));
  buffer.push(output("db", "dy\nnext\nno end"));
  expect(textsOf(buffer)).toEqual(["web GET /", "db ready", "db next"]);
  buffer.push({ kind: "ended", service: "db" });
  buffer.push({ kind: "skipped", service: "web", bytes: null });
  expect(textsOf(buffer).slice(3)).toEqual([
    "db no end",
    "web web prints more than is shown here: some lines are left out.",
  ]);
  expect(buffer.lines().at(-1)?.stream).toBe("note");
});

test("what a program prints is text: no colours, no steering, no hidden turns, one line", () => {
  expect(shownText("\u001B[31mred\u001B[0m \u001B]0;title\u0007x\r")).toBe("red x");
  expect(shownText("10%\r100%")).toBe("100%");
  expect(shownText("<b>\u202Eevil\u0000\tend")).toBe("<b>evil    end");
  const long = shownText("x".repeat(1_000_000));
  expect(long).toBe(`${"x".repeat(maxLineLength)} … (cut)`);
});

test("one that prints without end pushes only its own lines out, and memory is bounded", () => {
  const buffer = new LogBuffer(5);
  buffer.push(output("db", "kept\n"));
  const many = Array.from({ length: 200_000 }, (_, at) => `line ${at}`).join("\n");
  for (let round = 0; round < 5; round += 1) buffer.push(output("flood", `${many}\n`));
  const lines = buffer.lines();
  expect(lines[0]).toMatchObject({ service: "db", text: "kept" });
  expect(lines).toHaveLength(1 + maxLines / 5);
  expect(lines.at(-1)?.text).toBe("line 199999");
  expect(buffer.total).toBe(1_000_001);
  expect(buffer.dropped).toBe(1_000_000 - maxLines / 5);
  // A line without an end is none yet, and not kept for ever.
  for (let round = 0; round < 50; round += 1) buffer.push(output("db", "y".repeat(100_000)));
  buffer.push(output("db", "\n"));
  expect(buffer.lines().at(-1)?.text.length).toBeLessThan(maxLineLength + 20);
  buffer.clear();
  expect([buffer.lines(), buffer.dropped]).toEqual([[], 0]);
});

test("a long line takes several rows, and the row in sight finds its line", () => {
  const line = (text: string) =>
    ({ id: 1, service: "db", at: null, stream: "stdout", text }) as const;
  const lines = [line("short"), line("x".repeat(25)), line(""), line("界".repeat(10))];
  const layout = layoutOf(lines, 10);
  expect([...layout.starts]).toEqual([0, 1, 4, 5, 7]);
  expect([-3, 0, 1, 3, 4, 6, 99].map((row) => lineAt(layout, row))).toEqual([0, 0, 1, 1, 2, 3, 3]);
  expect(columnsOf("aé界")).toBe(4);
  expect(layoutOf([], 10).rows).toBe(0);
});

test("what is found is cut out whatever its case, and nothing of it is a pattern", () => {
  expect(cutAt("An Error, error", "ERROR")).toEqual(["An ", "Error", ", ", "error", ""]);
  expect(cutAt("a.b", ".")).toEqual(["a", ".", "b"]);
  expect(cutAt("abc", ".")).toEqual(["abc"]);
  // Its small letter is longer: places would not be those of the text.
  expect(cutAt("İx", "x")).toEqual(["İx"]);
});

test("a state is a word for people, and its health is in it", () => {
  const words = (state: Parameters<typeof serviceWords>[0]["state"], health = null) =>
    serviceWords({ state, health }, true);
  expect(words("running")).toEqual({ word: "Running", tone: "good" });
  expect(serviceWords({ state: "running", health: "unready" }, true)).toEqual({
    ...{ word: "Running, not ready", tone: "bad" },
  });
  expect(serviceWords({ state: "running", health: "starting" }, true).tone).toBe("wait");
  expect(words("backing-off")).toEqual({ word: "Backing off", tone: "bad" });
  expect(words("missing")).toEqual({ word: "Not there", tone: "off" });
  expect(serviceWords({ state: "missing", health: null }, false).word).toBe("Stopped");
});

test("the logs stand in the address, with the services only", () => {
  expect(readWorkspaceSearch({ view: "services", logs: "*", terminal: "t" })).toEqual({
    ...{ view: "services", logs: "*", terminal: "t" },
  });
  expect(readWorkspaceSearch({ view: "services", logs: 80 })).toEqual({
    view: "services",
    logs: "80",
  });
  expect(readWorkspaceSearch({ view: "ports", logs: "*" })).toEqual({ view: "ports" });
  expect(readWorkspaceSearch({ view: "x", logs: {} })).toEqual({});
});
