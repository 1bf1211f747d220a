import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { formatDiagnostic } from "../../../server/protocol/errors.ts";
import { unknown } from "../../../server/protocol/fact.ts";
import { WorkspacePlan } from "../../../server/protocol/plan.ts";
import type { SourceModel } from "../../../server/protocol/source-model.ts";
import { plan } from "../../../server/plan/plan.ts";
import { readDevfile } from "../../../server/sources/devfile/read.ts";
import { defaultModel } from "../../../server/sources/fallback/default-model.ts";

const checkout = {
  url: "file:///srv/govapp.git",
  ref: "refs/heads/main",
  commit: "0".repeat(40),
  path: "/workspace/govapp",
};

const devfile = {
  schemaVersion: "2.2.0",
  metadata: { name: "govapp" },
  components: [
    {
      name: "db",
      container: { image: "db:1", mountSources: false, volumeMounts: [{ name: "home" }] },
    },
    {
      name: "tools",
      container: {
        image: "tools:1",
        command: ["npm"],
        args: ["run", "dev"],
        memoryLimit: "1Gi",
        env: [{ name: "A", value: "1" }],
        endpoints: [{ name: "web", targetPort: 3000 }],
      },
    },
    { name: "docs", container: { image: "docs:1", sourceMapping: "/projects" } },
    { name: "home", volume: { size: "1Gi" } },
    { name: "deploy", kubernetes: { uri: "deploy.yaml" } },
  ],
  commands: [{ id: "build", exec: { component: "tools", commandLine: "make" } }],
};

function model(text = stringify(devfile)): SourceModel {
  const result = readDevfile(text, "devfile.yaml");
  if (!result.ok) throw new Error(result.diagnostics.map(formatDiagnostic).join("\n"));
  return result.model;
}

describe("a plan", () => {
  test("has the first container with the source as its dev service, and runs its command as a task", () => {
    const { devService, tasks } = plan(model(), null, { checkout });
    expect(devService).toBe("tools");
    expect(tasks).toEqual([
      {
        name: "tools",
        phase: "start",
        oncePer: "start",
        in: "tools",
        needs: [],
        command: ["npm", "run", "dev"],
        terminal: true,
      },
    ]);
  });

  test("leaves the command to the image where the devfile has none", () => {
    const { devService, tasks } = plan(defaultModel(), null, { checkout: null });
    expect(devService).toBe("dev");
    expect(tasks[0]?.command).toBeNull();
  });

  test("tells each service that has the source where it is", () => {
    const { services } = plan(model(), null, { checkout });
    expect(services.map(({ env }) => env)).toEqual([
      {},
      { A: "1", PROJECTS_ROOT: "/workspace", PROJECT_SOURCE: "/workspace/govapp" },
      { PROJECTS_ROOT: "/projects", PROJECT_SOURCE: "/projects/govapp" },
    ]);
  });

  test("keeps the devfile's volumes apart from Oneloop's own", () => {
    const { volumes, services } = plan(model(), null, { checkout });
    expect(volumes).toEqual([{ name: "devfile-home", sizeBytes: 2 ** 30, ephemeral: false }]);
    expect(services[0]?.mounts).toEqual([{ volume: "devfile-home", path: "/home" }]);
  });

  test("says because of which lines each part is there, and what was left out", () => {
    const { because, leftOut } = plan(model(), null, { checkout });
    expect(because.map(({ part }) => part)).toEqual([
      "dev service",
      "service db",
      "service tools",
      "service docs",
      "port 3000 of tools",
      "volume devfile-home",
      "task tools",
      "command build",
    ]);
    expect(because.find(({ part }) => part === "volume devfile-home")?.where).toContainEqual({
      file: "devfile.yaml",
      line: 30,
      column: 11,
    });
    expect(leftOut.map(({ what }) => what)).toEqual(['component "deploy" (kubernetes)']);
  });

  test("lists what is not known and can be done without", () => {
    const source = model();
    const [db] = source.services;
    if (db === undefined) throw new Error("no service");
    const where = { engine: "docker", object: "db" };
    db.memoryLimitBytes = unknown("It was not said.", where);
    db.env = { KEY: { known: true, value: { kind: "secretRef", secret: "s", key: "k" }, where } };
    const { services, leftOut } = plan(source, null, { checkout });
    expect(services[0]).toMatchObject({ memoryLimitBytes: null, env: {} });
    expect(leftOut.map(({ what }) => what)).toEqual([
      "memoryLimitBytes of service db",
      "environment variable KEY of service db",
      'component "deploy" (kubernetes)',
    ]);
  });

  test("is refused, with the place, when an image is not known", () => {
    const source = model();
    const where = { file: "devfile.yaml", line: 6, column: 3 };
    for (const service of source.services) service.image = unknown("It is built later.", where);
    expect(problem(source)).toMatchObject({
      code: "plan-impossible",
      diagnostics: [{ line: 6 }, { line: 6 }, { line: 6 }],
    });
  });

  test("is refused when no container is there to work in", () => {
    expect(problem(model("schemaVersion: 2.2.0\n"))).toMatchObject({ code: "plan-impossible" });
  });

  test("is the same for every order of the file's keys", () => {
    const expected = plan(model(), null, { checkout });
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat()), (numbers) => {
        const shuffled = plan(model(stringify(shuffle(devfile, numbers))), null, { checkout });
        expect(WorkspacePlan.parse(shuffled)).toEqual(shuffled);
        expect(withoutPlaces(shuffled)).toEqual(withoutPlaces(expected));
      }),
    );
  });
});

function problem(source: SourceModel): unknown {
  try {
    return plan(source, null, { checkout });
  } catch (thrown) {
    return thrown;
  }
}

function withoutPlaces({ because, leftOut, ...rest }: WorkspacePlan): unknown {
  const parts = because.map(({ part }) => part);
  return { ...rest, parts, leftOut: leftOut.map(({ what, why }) => ({ what, why })) };
}

/** The same maps and lists, each map's keys in another order. */
function shuffle(value: unknown, numbers: Iterator<number>): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffle(item, numbers));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => {
    const rank = Number(numbers.next().value);
    return { rank, entry: [key, shuffle(inner, numbers)] as const };
  });
  return Object.fromEntries(entries.sort((a, b) => a.rank - b.rank).map(({ entry }) => entry));
}
