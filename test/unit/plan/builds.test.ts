import { expect, test } from "vitest";
import { plan } from "../../../server/plan/plan.ts";
import { formatDiagnostic } from "../../../server/protocol/errors.ts";
import { formatPlace } from "../../../server/protocol/fact.ts";
import { readDevfile } from "../../../server/sources/devfile/read.ts";

function planned(image: string, runs = "acme/dev:1") {
  const text = `
schemaVersion: 2.2.2
components:
  - { name: dev, container: { image: "${runs}" } }
  - { name: own, image: { imageName: "acme/dev:1", ${image} } }
`;
  const read = readDevfile(text, "devfile.yaml");
  if (!read.ok) throw new Error(read.diagnostics.map(formatDiagnostic).join("\n"));
  const { builds, because, leftOut } = plan(read.model, null, { checkout: null });
  const reasons = leftOut.map(({ what, why }) => `${what}: ${why}`);
  return { builds, because, reasons };
}

test("an image that a component runs is built, from a context that has its Dockerfile", () => {
  const { builds, because, reasons } = planned(
    "dockerfile: { uri: ./docker/app/Dockerfile, buildContext: docker/, args: [--build-arg, A=b=c, '--build-arg=D=', --target, final, --squash] }",
  );
  expect(builds).toEqual([
    {
      ...{ image: "acme/dev:1", context: "docker", dockerfile: "app/Dockerfile" },
      ...{ args: { A: "b=c", D: "" }, target: "final" },
    },
  ]);
  const why = because.find(({ part }) => part === "image acme/dev:1");
  expect(why?.where.map(formatPlace)).toContainEqual(expect.stringMatching(/^devfile.yaml:5:/));
  expect(reasons).toEqual([
    "argument --squash of image component own: Only --build-arg and --target are known.",
  ]);
});

test("without a context it is the repository", () => {
  const { builds } = planned("dockerfile: { uri: docker/Dockerfile }");
  expect(builds).toMatchObject([{ context: "", dockerfile: "docker/Dockerfile", target: null }]);
});

test.each([
  ["dockerfile: { uri: Dockerfile }, autoBuild: false", undefined, /autoBuild is false/],
  ["dockerfile: { uri: Dockerfile }", "other:1", /No container component runs/],
  ["dockerfile: { uri: ../Dockerfile }", undefined, /inside the repository/],
  ["dockerfile: { uri: a/Dockerfile, buildContext: b }", undefined, /in its build context/],
  ["dockerfile: { uri: 'https://example.org/Dockerfile' }", undefined, /inside the repository/],
  ["dockerfile: { devfileRegistry: { id: nodejs } }", undefined, /not in this repository/],
])("%s is not built, and why", (image, runs, expected) => {
  const { builds, reasons } = planned(image, runs);
  expect(builds).toBeUndefined();
  expect(reasons).toEqual([expect.stringMatching(expected)]);
});
