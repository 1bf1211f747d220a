import { expect, test } from "vitest";
import { compare } from "../../../server/drift/compare.ts";
import { plan } from "../../../server/plan/plan.ts";
import { formatDiagnostic } from "../../../server/protocol/errors.ts";
import { formatPlace } from "../../../server/protocol/fact.ts";
import type { SourceModel } from "../../../server/protocol/source-model.ts";
import { readDevfile } from "../../../server/sources/devfile/read.ts";
import type { ReadResult } from "../../../server/sources/result.ts";
import { whatRuns } from "../../../server/workspaces/workspace-drift.ts";
import { model, workload } from "../drift/comparing.ts";

const devfile = (more = ""): string => `schemaVersion: 2.2.0
metadata: { name: shop }
components:
  - name: front-end
    container:
      image: acme/front-end:dev
      memoryLimit: 2Gi
${more}`;

function modelOf(read: ReadResult): SourceModel {
  if (!read.ok) throw new Error(read.diagnostics.map(formatDiagnostic).join("\n"));
  return read.model;
}

const production = model(
  "k8s/all.yaml",
  workload("front-end", {
    container: [
      'command: ["node", "server.js"]',
      "resources: {limits: {memory: 64Mi}}",
      "securityContext: {readOnlyRootFilesystem: true}",
      "env: [{name: API, value: 'http://back-end:5000'}]",
    ].join("\n"),
    ports: ["80:3000"],
  }),
  workload("back-end", { spec: "replicas: 3", ports: ["5000:5000"] }),
  workload("database", { image: "postgres:16", ports: ["5432:5432"] }),
);

function planned(development: SourceModel, develop: string[] | null = null) {
  return plan(development, production, { checkout: null, mirror: { source: "k8s/", develop } });
}

test("a workspace differs from its production where its dev service does, with both lines", () => {
  const development = modelOf(readDevfile(devfile(), "devfile.yaml"));
  const runs = whatRuns(planned(development), development, production);
  if (runs === null) throw new Error("the sources are those of the plan");
  const { findings } = compare(runs, production);
  const places = findings
    .filter((one) => one.class === "breaking")
    .map(({ id, a, b }) => [id, ...[a, b].map(({ where }) => where && formatPlace(where))]);
  expect(places).toEqual([
    ["memory-limit:front-end", "devfile.yaml:7:20", "k8s/all.yaml:13:40"],
    ["read-only-root:front-end", "devfile.yaml:6:7", "k8s/all.yaml:14:53"],
  ]);
  // What runs around it is production's own, but for what one machine has only one of.
  const others = findings.filter(({ service }) => service !== "front-end");
  expect(others.map(({ code, service }) => `${code} ${service}`)).toEqual(["replicas back-end"]);
});

test("a dev service of another name stands for what it develops", () => {
  const development = modelOf(
    readDevfile(devfile().replace("name: front-end", "name: workbench"), "devfile.yaml"),
  );
  const runs = whatRuns(planned(development, ["front-end"]), development, production);
  if (runs === null) throw new Error("the sources are those of the plan");
  const { findings } = compare(runs, production);
  expect(findings.map(({ code }) => code)).not.toContain("missing-service");
  expect(findings.map(({ id }) => id)).toContain("memory-limit:front-end");
});

test("sources that the plan was not made from are not compared", () => {
  const development = modelOf(readDevfile(devfile(), "devfile.yaml"));
  const other = modelOf(readDevfile(devfile().replace("front-end", "other"), "devfile.yaml"));
  expect(whatRuns(planned(development), other, production)).toBeNull();
  const more = "  - name: cache\n    container: { image: redis:7, mountSources: false }\n";
  const larger = modelOf(readDevfile(devfile(more), "devfile.yaml"));
  expect(whatRuns(planned(larger), development, production)).toBeNull();
});
