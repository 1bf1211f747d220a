import { expect, test } from "vitest";
import { fillValues, makeSecret, missingVariables } from "../../../server/plan/mirror/fill.ts";
import { plan } from "../../../server/plan/plan.ts";
import type { WorkspacePlan } from "../../../server/protocol/plan.ts";
import type { MirroredService } from "../../../server/protocol/service.ts";
import { defaultModel } from "../../../server/sources/fallback/default-model.ts";

const bare = plan(defaultModel(), null, { checkout: null });
const neutral: MirroredService = {
  ...{ role: "service", partOf: null, build: null, platform: null, workingDir: null },
  ...{ capabilitiesAdded: [], capabilitiesDropped: [], readiness: null, liveness: null },
  ...{ startup: null, restart: "no", stopGraceSeconds: null, names: [], dependsOn: [] },
  ...{ files: [], tmpfs: [], composedEnv: {} },
};

function withMirror(mirror: Partial<MirroredService>, args: string[] = []): WorkspacePlan {
  const services = bare.services.map((service) => ({
    ...{ ...service, args, env: { PLAIN: "plain" } },
    mirror: { ...neutral, ...mirror },
  }));
  return { ...bare, services };
}

const url = [{ text: "pg://u:" }, { secret: "db", key: "password" }, { text: "@db" }];

test("values are put together of texts, the user's variables, and secrets of the workspace's own", () => {
  const planned = withMirror(
    {
      composedEnv: { URL: url, MAIL: [{ variable: "MAIL_HOST" }], GONE: [{ variable: "GONE" }] },
      files: [
        {
          path: "/pw",
          mode: null,
          content: { kind: "text", parts: [{ secret: "db", key: "password" }] },
        },
        { path: "/c", mode: null, content: { kind: "repository", path: "c" } },
      ],
    },
    ["--url=$(URL)", "$(PLAIN) $(GONE)", "$(MAIL)"],
  );
  const made = makeSecret("k".repeat(32), "one");
  const filled = fillValues(planned, { variables: { MAIL_HOST: "mail:25" }, made });
  const password = made("db", "password");
  expect(password).toMatch(/^[A-Za-z0-9]{24}$/);
  const [service] = filled.services;
  expect(service?.env).toEqual({ PLAIN: "plain", URL: `pg://u:${password}@db`, MAIL: "mail:25" });
  // `$(PLAIN)` was the reader's business; what nobody gave is empty.
  expect(service?.args).toEqual([`--url=pg://u:${password}@db`, "$(PLAIN) ", "mail:25"]);
  expect(service?.mirror?.files).toEqual([
    { path: "/pw", mode: null, content: { kind: "text", parts: [{ text: password }] } },
    { path: "/c", mode: null, content: { kind: "repository", path: "c" } },
  ]);
  expect(service?.mirror?.composedEnv).toEqual({});
  expect(missingVariables(planned, { MAIL_HOST: "mail:25" })).toEqual(["GONE"]);
});

test("the user's own value of a secret wins over a made one", () => {
  const filled = fillValues(withMirror({ composedEnv: { URL: url } }), {
    variables: { DB_PASSWORD: "own" },
    made: () => "made",
  });
  expect(filled.services[0]?.env["URL"]).toBe("pg://u:own@db");
});

test("a made secret is the same for a workspace, and another for each workspace, secret and key", () => {
  const of = (id: string, secret: string, key: string, secretKey = "k") =>
    makeSecret(secretKey, id)(secret, key);
  const all = [
    ...[of("a", "s", "k"), of("b", "s", "k"), of("a", "t", "k"), of("a", "s", "l")],
    ...[of("a", "s", "k", "other")],
  ];
  expect(of("a", "s", "k")).toBe(all[0]);
  expect(new Set(all).size).toBe(all.length);
});

test("a plan without a mirror is as it was", () => {
  expect(fillValues(bare, { variables: {}, made: () => "x" })).toEqual(bare);
});
