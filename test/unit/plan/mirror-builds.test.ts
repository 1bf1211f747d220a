import { describe, expect, test } from "vitest";
import { plan } from "../../../server/plan/plan.ts";
import { formatDiagnostic } from "../../../server/protocol/errors.ts";
import { formatPlace } from "../../../server/protocol/fact.ts";
import type { WorkspacePlan } from "../../../server/protocol/plan.ts";
import { readCompose } from "../../../server/sources/compose/read.ts";
import { readDevfile } from "../../../server/sources/devfile/read.ts";
import { serviceSettings } from "../../../server/workspaces/service-settings.ts";

const devfile = `schemaVersion: 2.2.0
metadata: { name: shop }
components:
  - name: web
    container: { image: "shop/web:dev" }
`;

function mirror(compose: string, images: Record<string, string> = {}): WorkspacePlan {
  const development = readDevfile(devfile, "devfile.yaml");
  const production = readCompose(["compose.yaml"], {
    read: (path) => (path === "compose.yaml" ? compose : null),
  });
  if (!development.ok) throw new Error("the devfile has mistakes");
  if (!production.ok) throw new Error(production.diagnostics.map(formatDiagnostic).join("\n"));
  return plan(development.model, production.model, {
    checkout: null,
    mirror: { source: "compose.yaml", develop: null, images },
  });
}

const imagesOf = ({ services }: WorkspacePlan): Record<string, string> =>
  Object.fromEntries(services.map(({ name, image }) => [name, image]));
const leftOut = (planned: WorkspacePlan): string[] =>
  planned.leftOut.map(({ what, why, where }) => `${formatPlace(where)} ${what}: ${why}`);

describe("services that are built from the repository", () => {
  test("each image is built once, whoever runs it, from its own folder", () => {
    const planned = mirror(`services:
  api:
    image: shop/api:1
    build: { context: ./api, dockerfile: docker/Dockerfile, target: run, args: { A: "1" } }
  worker:
    image: shop/api:1
    build: { context: ./api, dockerfile: docker/Dockerfile, target: run, args: { A: "1" } }
  cron:
    build: ./jobs
`);
    expect(planned.builds).toEqual([
      {
        image: "shop/api:1",
        context: "api",
        dockerfile: "docker/Dockerfile",
        args: { A: "1" },
        target: "run",
      },
      {
        image: "oneloop-built/cron",
        context: "jobs",
        dockerfile: "Dockerfile",
        args: {},
        target: null,
      },
    ]);
    expect(imagesOf(planned)).toMatchObject({
      api: "shop/api:1",
      worker: "shop/api:1",
      cron: "oneloop-built/cron",
    });
    expect(planned.because).toContainEqual({
      part: "image shop/api:1",
      where: [{ file: "compose.yaml", line: 4, column: 12 }],
    });
  });

  test("two that call different images the same get each their own", () => {
    const planned = mirror(`services:
  api: { image: "shop/app", build: ./api }
  mail: { image: "shop/app", build: ./mail }
`);
    expect(imagesOf(planned)).toMatchObject({ api: "shop/app", mail: "oneloop-built/mail" });
    expect(planned.builds?.map(({ image, context }) => [image, context])).toEqual([
      ["shop/app", "api"],
      ["oneloop-built/mail", "mail"],
    ]);
  });

  test("what stands in for an image is not built, and what cannot be built is listed", () => {
    const planned = mirror(
      `services:
  api: { image: "shop/api", build: ./api }
  mail: { image: "shop/mail", build: { context: ./mail, dockerfile: ../Dockerfile } }
  log: { image: "shop/log", build: { context: ./log, args: [TOKEN] } }
`,
      { "shop/api": "mirror.example/api" },
    );
    expect(imagesOf(planned)).toMatchObject({ api: "mirror.example/api", mail: "shop/mail" });
    expect(planned.builds?.map(({ image, args }) => [image, args])).toEqual([["shop/log", {}]]);
    expect(leftOut(planned)).toEqual([
      expect.stringMatching(/^compose\.yaml:2:\d+ build of service api: The image mirror\.example/),
      expect.stringMatching(
        /^compose\.yaml:3:\d+ build of service mail: Its Dockerfile is outside/,
      ),
      expect.stringMatching(/^compose\.yaml:4:\d+ argument TOKEN of the build of service log/),
    ]);
  });
});

test("every setting of a service is shown with its line, and no secret", () => {
  const planned = mirror(`services:
  api:
    image: shop/api:1
    read_only: true
    mem_limit: 64m
    environment:
      PORT: "81"
      TOKEN:
    healthcheck:
      test: [CMD, check]
    depends_on: [db]
  db:
    image: postgres:17
`);
  const settings = serviceSettings(planned, "api");
  const of = (name: string) => settings.find((one) => one.name === name);
  expect(of("read-only root")).toEqual({
    name: "read-only root",
    value: "yes",
    where: ["compose.yaml:4:16"],
  });
  expect(of("memory limit")).toMatchObject({ value: "64 MiB", where: ["compose.yaml:5:16"] });
  expect(of("env PORT")).toMatchObject({ value: "81", where: ["compose.yaml:7:13"] });
  expect(of("env TOKEN")?.value).toBe("(your variable TOKEN)");
  expect(of("waits for")?.value).toBe("db (started)");
  expect(of("readiness probe")?.value).toMatch(/^check; every 30 s/);
  // Of what nobody asks for there is no line, and of the devfile's own those of all of it.
  expect(serviceSettings(planned, "db").map(({ name }) => name)).not.toContain("user");
  expect(serviceSettings(planned, "web")[0]?.where[0]).toMatch(/^devfile\.yaml:/);
  expect(() => serviceSettings(planned, "none")).toThrow(/no service none, but web, api, db/);
});
