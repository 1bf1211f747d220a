import { known, unknown, type Fact } from "../../protocol/fact.ts";
import type { Probe } from "../../protocol/service.ts";
import type { Healthcheck } from "./answers.ts";
import { sameArgv, valuesNotRead, type Given } from "./given.ts";

/** What Docker takes where nothing is said (Dockerfile reference, HEALTHCHECK). */
const defaults = { periodS: 30, timeoutS: 30, failures: 3 } as const;

/** The health check that was asked for; the image's own is unsaid, as in a file. */
export function readCheck(
  { container, image, at }: Given,
  finds: (text: string) => string | null,
): Fact<Probe | null> {
  const check = container.Config.Healthcheck;
  const where = at("Config.Healthcheck");
  if (!check || isSame(check, image?.Config?.Healthcheck ?? null)) return known(null, where);
  const command = commandOf(check.Test ?? []);
  if (command === null) return known(null, where);
  const variable = command.map(finds).find((each) => each !== null) ?? null;
  if (variable !== null) {
    return unknown(`the value of ${variable} stands in it, and ${valuesNotRead}`, where);
  }
  return known(
    {
      check: { kind: "exec", command },
      initialDelayS: Math.max(0, seconds(check.StartPeriod)),
      periodS: positive(seconds(check.Interval)) ?? defaults.periodS,
      timeoutS: positive(seconds(check.Timeout)) ?? defaults.timeoutS,
      failures: positive(Math.round(check.Retries ?? 0)) ?? defaults.failures,
      successes: 1,
    },
    where,
  );
}

function commandOf([kind, ...rest]: readonly string[]): string[] | null {
  if (kind === "CMD" && rest.length > 0) return rest;
  const [line] = rest;
  return kind === "CMD-SHELL" && line !== undefined ? ["/bin/sh", "-c", line] : null;
}

function isSame(one: Healthcheck, other: Healthcheck | null): boolean {
  if (other === null) return false;
  const times = (check: Healthcheck) =>
    [check.Interval, check.Timeout, check.StartPeriod, check.Retries].map((each) => each ?? 0);
  return sameArgv(one.Test, other.Test) && String(times(one)) === String(times(other));
}

/** An engine counts in nanoseconds. */
function seconds(nanoseconds: number | null | undefined): number {
  return (nanoseconds ?? 0) / 1e9;
}

function positive(value: number): number | null {
  return value > 0 ? value : null;
}
