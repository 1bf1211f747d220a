import { expect, test } from "vitest";
import { plan } from "../../../server/plan/plan.ts";
import { formatPlace } from "../../../server/protocol/fact.ts";
import { WorkspacePlan } from "../../../server/protocol/plan.ts";
import type { DevfileDocuments } from "../../../server/sources/devfile/flatten.ts";
import { neededDocuments, readDevfile } from "../../../server/sources/devfile/read.ts";
import { readCompose } from "../../../server/sources/compose/read.ts";

const deployment = (name: string, image: string): string => `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      containers:
        - name: ${name}
          image: ${image}
`;
const indented = (text: string): string => text.replaceAll(/^/gm, "        ").trimEnd();

const devfile = `schemaVersion: 2.2.2
components:
  - {name: tools, container: {image: "tools:1"}}
  - name: broker
    kubernetes:
      endpoints: [{name: amqp, targetPort: 5672}]
      inlined: |
${indented(deployment("broker", "rabbit:3") + "---\n" + deployment("search", "elastic:8"))}
  - {name: database, kubernetes: {uri: ../k8s/db.yaml}}
  - {name: app, openshift: {uri: deploy.yaml}}
  - {name: later, kubernetes: {uri: later.yaml, deployByDefault: false}}
  - {name: asked, openshift: {uri: asked.yaml, deployByDefault: false}}
  - {name: gone, kubernetes: {uri: gone.yaml}}
  - {name: far, kubernetes: {uri: "https://example.org/x.yaml"}}
  - {name: wrong, kubernetes: {inlined: "kind: Deployment\\napiVersion: apps/v1\\n"}}
commands:
  - {id: deploy, apply: {component: app}}
  - {id: ask, apply: {component: asked}}
events: {preStart: [ask]}
`;
const path = "sub/devfile.yaml";
const files: Readonly<Record<string, string>> = {
  "k8s/db.yaml": deployment("db", "postgres:16"),
  "sub/asked.yaml": deployment("asked", "asked:1"),
};

function documents(text = devfile): DevfileDocuments {
  const found = new Map<string, { text: string } | { failure: string }>();
  for (const { name } of neededDocuments(text, path, found)) {
    const one = files[name];
    found.set(name, one === undefined ? { failure: `There is no ${name}.` } : { text: one });
  }
  expect(neededDocuments(text, path, found)).toEqual([]);
  return found;
}

function planned(production: string | null = null): WorkspacePlan {
  const read = readDevfile(devfile, path, documents());
  if (!read.ok) throw new Error(JSON.stringify(read.diagnostics));
  const compose =
    production === null ? null : readCompose(["compose.yaml"], { read: () => production });
  const model = compose?.ok === true ? compose.model : null;
  return WorkspacePlan.parse(plan(read.model, model, { checkout: null }));
}

const images = ({ services }: WorkspacePlan): string[] =>
  services.map(
    ({ name, image, mirror }) => `${name} ${image}${mirror === undefined ? "" : " mirrored"}`,
  );

test("the services of a devfile's Kubernetes objects run beside it, as production's do", () => {
  const made = planned();
  expect(images(made)).toEqual([
    "tools tools:1 mirrored",
    ...["broker rabbit:3", "search elastic:8", "db postgres:16", "asked asked:1"].map(
      (service) => `${service} mirrored`,
    ),
  ]);
  expect(made.devService).toBe("tools");
  // Nobody chose a production to mirror.
  expect(made.mirror).toBeUndefined();
  const where = new Map(made.because.map((one) => [one.part, one.where.map(formatPlace)]));
  const line = (text: string): number =>
    devfile.split("\n").findIndex((one) => one.includes(text)) + 1;
  const column = (text: string): number =>
    (devfile.split("\n")[line(text) - 1] ?? "").indexOf(text) + 1;
  for (const image of ["rabbit:3", "elastic:8"]) {
    const part = `service ${image === "rabbit:3" ? "broker" : "search"}`;
    expect(where.get(part)).toContain(`${path}:${line(image)}:${column(image)}`);
  }
  expect(where.get("service db")).toContain("k8s/db.yaml:11:18");
});

test("what of them does not run is listed with its line and the reason", () => {
  const { leftOut } = planned();
  const said = leftOut.map(({ what, why, where }) => `${formatPlace(where)} ${what}: ${why}`);
  const at = (text: string): number =>
    devfile.split("\n").findIndex((one) => one.includes(text)) + 1;
  const of = (text: string): string[] =>
    said.filter((one) => one.startsWith(`${path}:${at(text)}:`));
  const byDefault = "It is not deployed by default, and nothing applies it at the start.";
  // A command applies it, so that it is not there by itself.
  expect(of("id: deploy")).toEqual(
    [
      expect.stringContaining(`component "app" (openshift): ${byDefault}`),
      expect.stringContaining('command "deploy" (apply)'),
    ].toReversed(),
  );
  expect(of("name: later")).toEqual([
    expect.stringContaining(`component "later" (kubernetes): ${byDefault}`),
  ]);
  expect(of("name: gone")).toEqual([expect.stringContaining("There is no sub/gone.yaml.")]);
  expect(of("name: far")).toEqual([
    expect.stringContaining("Only files of this repository are read, below its root."),
  ]);
  expect(of("name: wrong").join()).toMatch(/a Kubernetes object: .*required/i);
  expect(of("endpoints:")).toEqual([expect.stringContaining('endpoints of component "broker"')]);
});

test("of two services with one name production's runs, and the others beside it", () => {
  const made = planned("services:\n  db: {image: 'postgres:17'}\n  cache: {image: redis}\n");
  expect(images(made)).toEqual(
    expect.arrayContaining([
      "db postgres:17 mirrored",
      "cache redis mirrored",
      "broker rabbit:3 mirrored",
    ]),
  );
  expect(made.mirror?.source).toBe("compose");
  expect(made.leftOut.map(({ what }) => what)).toContain("service db of the devfile");
});

test("no file outside of the repository is asked for", () => {
  const uris = ["/etc/passwd", "../../x", "file:///etc/passwd", "a/../../../x", "\\\\x"];
  const text = `schemaVersion: 2.2.2\ncomponents:\n${uris
    .map((uri, at) => `  - {name: c${at}, kubernetes: {uri: '${uri}'}}\n`)
    .join("")}`;
  expect(neededDocuments(text, path, new Map())).toEqual([]);
});
