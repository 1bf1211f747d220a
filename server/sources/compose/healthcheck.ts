import { known, unknown } from "../../protocol/fact.ts";

import type { Probe, SourceService } from "../../protocol/service.ts";
import { healthcheckKeys } from "./keys.ts";
import { textOf, whyUnset } from "./part.ts";
import type { Part } from "./part.ts";
import type { Section } from "./section.ts";
import { count, duration, truth } from "./values.ts";

/** What Docker takes where nothing is said (Dockerfile reference, HEALTHCHECK). */
const defaults = { periodS: 30, timeoutS: 30, failures: 3 } as const;

type Check = { readonly command: string[] } | { readonly none: true } | { readonly why: string };

/** A health check says when others may start: it is what other systems call readiness. */
export function readHealthcheck(service: Section): SourceService["readiness"] {
  const health = service.section("healthcheck", healthcheckKeys);
  if (health === null) return known(null, service.where);
  const times = readTimes(health);
  const { where } = health;
  if (health.value("disable", truth) === true) return known(null, where);
  const test = health.get("test");
  if (test === null) {
    const why = "It is the image's own check, with other times.";
    return unknown(why, where);
  }
  const check = readTest(test);
  if ("why" in check) return unknown(check.why, test.mark.where);
  if ("none" in check) return known(null, test.mark.where);
  const probe: Probe = { check: { kind: "exec", command: check.command }, ...times };
  return known(probe, test.mark.where);
}

/** Zero is the default. A failure within the start period does not count: checks begin behind it. */
function readTimes(health: Section): Omit<Probe, "check"> {
  return {
    initialDelayS: health.value("start_period", duration) ?? 0,
    periodS: health.value("interval", duration) || defaults.periodS,
    timeoutS: health.value("timeout", duration) || defaults.timeoutS,
    failures: health.value("retries", count) || defaults.failures,
    successes: 1,
  };
}

function readTest(test: Part): Check {
  if (test.kind === "map") {
    test.mark.error("wrong-type", "A check is a line or a list, not a map.");
    return { why: "This is no check." };
  }
  const items = test.kind === "list" ? test.items : [test];
  const why = items.map((item) => (item.kind === "scalar" ? whyUnset(item) : null)).find(Boolean);
  const texts = items.flatMap((item) => textOf(item) ?? []);
  if (why !== undefined && why !== null) return { why };
  if (test.kind === "scalar") return shell(test, texts[0] ?? "");
  const [first, ...rest] = texts;
  if (first === "NONE" && rest.length === 0) return { none: true };
  if (first === "CMD" && rest.length > 0) return { command: rest };
  if (first === "CMD-SHELL" && rest.length === 1) return shell(test, rest[0] ?? "");
  test.mark.error(
    "bad-check",
    'A check begins with its kind: write [CMD, …], [CMD-SHELL, "…"], [NONE], or one line.',
  );
  return { why: "This is no check." };
}

function shell(test: Part, line: string): Check {
  if (line !== "") return { command: ["/bin/sh", "-c", line] };
  test.mark.error("bad-check", "The check is empty: write a command, or [NONE].");
  return { why: "This is no check." };
}
