import { expect, test } from "vitest";
import { compare } from "../../../server/drift/compare.ts";
import { renderJson, reportOf } from "../../../server/drift/report.ts";
import { renderSarif } from "../../../server/drift/sarif.ts";
import { renderText } from "../../../server/drift/text.ts";
import { env, model, workload } from "./comparing.ts";

/** Everything that a comparison prints, in all formats. */
function printed(a: string[], b: string[]): string {
  const comparison = compare(model("a.yaml", ...a), model("b.yaml", ...b));
  const report = reportOf(comparison, { a: "a", b: "b", lock: [], now: new Date(0) });
  return renderText(report) + renderJson(report) + renderSarif(report);
}

test("no secret's value is printed, wherever it stands", () => {
  const secret = (value: string) =>
    `apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: ${value}}\n`;
  const side = (canary: string, extra: string) => [
    workload("web", {
      container: `${env({
        DB_PASSWORD: `${canary}1`,
        apiKey: `${canary}2`,
        DATABASE_URL: `postgres://app:${canary}3@db:5432/${extra}`,
        PLAIN: `a ${canary}1 in a text ${extra}`,
        OPTIONS: `user=x;password=${canary}4;${extra}`,
        STRIPE: `sk_live_${canary}5longenough`,
        REFERENCED: canary === "left" ? `${canary}6` : "{secretKeyRef: {name: s, key: k}}",
      })}
args: ["--requirepass", "${canary}7", "--token=${canary}8", "${extra}", "redis://:${canary}9@cache"]
readinessProbe: {httpGet: {path: "/health?token=${canary}1", port: 80}}`,
    }),
    secret(`${canary}0`),
  ];
  const text = printed(side("left", "one"), side("right", "two"));
  expect(text).toContain("env-value:web:DATABASE_URL");
  expect(text).toContain("(not shown)");
  expect(text).toContain("secret-literal:web:REFERENCED");
  for (const canary of ["left", "right"]) {
    for (let number = 0; number < 10; number += 1) expect(text).not.toContain(`${canary}${number}`);
  }
});

test("a secret that is too short to be found in other texts is not printed as its variable", () => {
  const side = (value: string) => [workload("web", { container: env({ PIN: value }) })];
  const text = printed(side("9q1"), side("9q2"));
  expect(text).toContain("env-value:web:PIN");
  expect(text).not.toMatch(/9q[12]/);
});

test("what is no secret is printed, a switch too", () => {
  const side = (value: string, level: string) => [
    workload("web", {
      container: env({ ALLOW_EMPTY_PASSWORD: value, LEVEL: level, KEYBOARD: level }),
    }),
  ];
  const text = printed(side("yes", "debug"), side("no", "quiet"));
  for (const shown of ["yes", "no", "debug", "quiet"]) expect(text).toContain(`  ${shown}  `);
});
