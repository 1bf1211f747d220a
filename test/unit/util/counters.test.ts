import { expect, test } from "vitest";
import { Counters } from "../../../server/util/counters.ts";

test("counts are shown as Prometheus reads them, from the first look on", () => {
  const counters = new Counters();
  const refusals = counters.counter("oneloop_test_total", {
    help: "What was refused.",
    label: "reason",
    reasons: ["one", "two"],
  });
  refusals.add("two");
  refusals.add("two");
  expect(counters.text()).toBe(
    [
      "# HELP oneloop_test_total What was refused.",
      "# TYPE oneloop_test_total counter",
      'oneloop_test_total{reason="one"} 0',
      'oneloop_test_total{reason="two"} 2',
      "",
    ].join("\n"),
  );
});
