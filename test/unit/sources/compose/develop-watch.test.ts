import { expect, test } from "vitest";
import { plan } from "../../../../server/plan/plan.ts";
import { defaultModel } from "../../../../server/sources/fallback/default-model.ts";
import { one, read } from "./reading.ts";

const rules = (body: string): unknown[] =>
  (one(body).sync ?? []).map((fact) => (fact.known ? fact.value : fact.why));

test("the rules of `docker compose watch` are read, with paths below the repository's root", () => {
  const [sync, restart, rebuild] = rules(`build: ./api
develop:
  watch:
    - action: sync
      path: ./api/src
      target: /app/src
      ignore: ["*.test.js"]
    - { action: sync+restart, path: api/conf.json, target: /etc/conf.json, include: "*.json" }
    - { action: rebuild, path: ./api/package.json, target: /nowhere }`);
  expect(sync).toEqual({
    ...{ path: "api/src", action: "sync", target: "/app/src", include: [] },
    ignore: ["*.test.js"],
  });
  expect(restart).toMatchObject({ action: "sync+restart", include: ["*.json"] });
  expect(rebuild).toMatchObject({ action: "rebuild", target: null });
});

test("what cannot be done is listed with its line, and nothing else is lost", () => {
  const model = read(`services:
  api:
    build: .
    develop:
      watch:
        - { action: sync, path: ../other, target: /app }
        - { action: sync, path: ./src }
        - { action: sync+exec, path: ./src, target: /app, exec: { command: reload } }
        - { action: restart, path: ./conf }
`);
  expect(model.services[0]?.sync).toHaveLength(1);
  const listed = model.leftOut.map(({ why, where }) => ("line" in where ? [where.line, why] : []));
  expect(listed).toEqual(
    expect.arrayContaining([
      [6, "It is elsewhere: the path leads out of the repository."],
      [7, "It names no absolute path in the container as its target."],
      [8, "No command is run after a sync."],
    ]),
  );
});

test("a plan keeps those of the build's context, with their place", () => {
  const production = read(`services:
  api:
    build: ./api
    develop:
      watch:
        - { action: restart, path: ./api/conf }
        - { action: restart, path: ./docs }
`);
  const { services, leftOut } = plan(defaultModel(), production, { checkout: null });
  const api = services.find(({ name }) => name === "api");
  expect(api?.mirror?.sync).toEqual([
    expect.objectContaining({ path: "api/conf", where: expect.objectContaining({ line: 6 }) }),
  ]);
  expect(leftOut.map(({ why }) => why)).toContain("docs is outside of its build's context, api.");
});
