import { describe, expect, test } from "vitest";
import { leftOut, marked, read, wrong } from "./reading.ts";

const devfile = (...lines: string[]): string => ["schemaVersion: 2.2.2", ...lines].join("\n");

const image = devfile(
  "components:",
  "  - name: own",
  "    image:",
  "      imageName: acme/own:1",
  "      autoBuild: true",
  "      dockerfile:",
  "        uri: docker/Dockerfile",
  "        buildContext: .",
  "        args: [--build-arg, A=b]",
  "        rootRequired: true",
);

describe("an image component", () => {
  test("is in the model with every field at its place, for the planner to build", () => {
    const model = read(image);
    expect(model.images).toMatchObject([
      {
        name: "own",
        imageName: { value: "acme/own:1", where: { line: 5, column: 18 } },
        dockerfile: { value: { kind: "uri", uri: "docker/Dockerfile" }, where: { line: 8 } },
        buildContext: { value: "." },
        args: { value: ["--build-arg", "A=b"] },
        rootRequired: { value: true },
        autoBuild: { value: true },
        where: { line: 3, column: 11 },
      },
    ]);
    expect(leftOut(model)).toEqual([]);
  });

  test("may be built from git, or from a registry's devfile", () => {
    const from = (dockerfile: string) =>
      read(
        devfile(`components: [{name: a, image: {imageName: a, dockerfile: {${dockerfile}}}}]`),
      ).images?.map(({ dockerfile }) => dockerfile.known && dockerfile.value);
    const git = "git: {remotes: {o: 'https://example.org/a.git'}, checkoutFrom: {revision: v1}}";
    expect(from(git)).toEqual([
      { kind: "git", url: "https://example.org/a.git", revision: "v1", path: "Dockerfile" },
    ]);
    expect(from("devfileRegistry: {id: nodejs}")).toEqual([
      { kind: "registry", id: "nodejs", registryUrl: null },
    ]);
  });

  test.each([
    ["a bad name", "imageName: ▸Acme, dockerfile: {uri: a}", "bad-image"],
    ["no Dockerfile", "▸{imageName: a}", "no-image-kind"],
    [
      "two Dockerfiles",
      "imageName: a, dockerfile: {uri: a, ▸devfileRegistry: {id: b}}",
      "two-dockerfile-kinds",
    ],
    ["a bad path", "imageName: a, dockerfile: {uri: ▸'a b'}", "bad-uri"],
    [
      "several remotes",
      "imageName: a, dockerfile: {git: {remotes: ▸{o: 'https://example.org/a', u: 'https://example.org/b'}}}",
      "several-remotes",
    ],
  ])("with %s is a mistake at its place", (_, body, code) => {
    const whole = body.startsWith("▸{") ? body : `{${body}}`;
    const { text, places } = marked(devfile(`components: [{name: a, image: ${whole}}]`));
    expect(wrong(text)).toEqual(places.map((place) => `${place} ${code}`));
  });

  test("came with version 2.2.0", () => {
    expect(wrong(image.replace("2.2.2", "2.1.0"))).toEqual(["4:5 key-of-later-version"]);
  });
});

describe("a Kubernetes component", () => {
  test("is in the model, by uri or with its text", () => {
    const model = read(
      devfile(
        "components:",
        "  - name: far",
        "    kubernetes: {uri: k8s/deploy.yaml, deployByDefault: true}",
        "  - name: near",
        "    openshift:",
        "      inlined: |",
        "        kind: Service",
        "      endpoints: [{name: web, targetPort: 8080}]",
      ),
    );
    expect(model.manifests).toMatchObject([
      {
        name: "far",
        kind: "kubernetes",
        content: { value: { kind: "uri", uri: "k8s/deploy.yaml" }, where: { line: 4, column: 23 } },
        deployByDefault: { value: true },
      },
      {
        name: "near",
        kind: "openshift",
        content: { value: { kind: "inlined", text: "kind: Service\n" } },
        endpoints: [{ value: { name: "web", targetPort: 8080 } }],
        deployByDefault: { value: null },
      },
    ]);
    expect(leftOut(model)).toEqual([]);
    const [far, near] = model.manifests ?? [];
    expect(far?.objects).toMatchObject({ known: false, why: '"k8s/deploy.yaml" was not read.' });
    // In the line and column of the devfile.
    const text = `${"\n".repeat(7)}        kind: Service\n`;
    expect(near?.objects).toMatchObject({ value: { file: "devfile.yaml", text } });
  });

  test("shares the names and ports of endpoints with the containers", () => {
    const { text, places } = marked(
      devfile(
        "components:",
        "  - name: a",
        "    container: {image: a, endpoints: [{name: web, targetPort: 80}, {name: two, targetPort: 80}]}",
        "  - name: b",
        "    kubernetes: {uri: b, endpoints: [{name: ▸web, targetPort: ▸80}]}",
      ),
    );
    expect(wrong(text)).toEqual([`${places[0]} duplicate-endpoint`, `${places[1]} duplicate-port`]);
  });

  test.each([
    ["neither uri nor text", "▸{}", "no-manifest-kind"],
    ["both", "{uri: a, ▸inlined: b}", "two-manifest-kinds"],
    ["a uri that is none", "{uri: ▸'https://[x'}", "bad-uri"],
  ])("with %s is a mistake at its place", (_, body, code) => {
    const { text, places } = marked(devfile(`components: [{name: a, kubernetes: ${body}}]`));
    expect(wrong(text)).toEqual(places.map((place) => `${place} ${code}`));
  });
});

test("a custom component is for the tool that knows it: named, and left out", () => {
  const text = devfile(
    "components: [{name: a, custom: {componentClass: x, embeddedResource: {any: [thing]}}}]",
  );
  expect(leftOut(read(text))).toEqual(['2 component "a" (custom)']);
  expect(wrong(text.replace("componentClass: x, ", ""))).toEqual(["2:32 missing-key"]);
});

test("annotations of containers that share a pod must agree", () => {
  const containers = (second: string, pod = "false") =>
    devfile(
      "components:",
      `  - {name: a, container: {image: a, dedicatedPod: ${pod}, annotation: {deployment: {k: v}}}}`,
      `  - {name: b, container: {image: b, dedicatedPod: ${pod}, annotation: {deployment: {▸k: ${second}}}}}`,
    );
  const { text, places } = marked(containers("w"));
  expect(wrong(text)).toEqual([`${places[0]} annotation-conflict`]);
  expect(wrong(marked(containers("v")).text)).toEqual([]);
  expect(wrong(marked(containers("w", "true")).text)).toEqual([]);
});

describe("an apply command", () => {
  const events = (...lines: string[]): string =>
    devfile(
      "components:",
      "  - {name: tools, container: {image: t}}",
      "  - {name: init, container: {image: i, args: [migrate]}}",
      "  - {name: built, image: {imageName: b, dockerfile: {uri: Dockerfile}}}",
      "  - {name: data, volume: {}}",
      "commands:",
      "  - {id: one, apply: {component: init}}",
      "  - {id: two, apply: {component: built}}",
      "  - {id: both, composite: {commands: [one, Two], parallel: true}}",
      "  - {id: last, apply: {component: tools}}",
      ...lines,
    );

  test("of preStart and postStop is in the model, in its order", () => {
    const { applies } = read(events("events: {preStart: [both, last], postStop: [one]}"));
    expect(
      applies?.map(({ name, of, kind, event, needs }) =>
        [event, name, kind, of.known && of.value, ...needs].join(" "),
      ),
    ).toEqual([
      "preStart one service init",
      "preStart two image built",
      "preStart last service tools one two",
      "postStop one service init",
    ]);
  });

  test("in composites in composites is found at once, however many ways lead to it", () => {
    const levels = Array.from(
      { length: 60 },
      (_, at) => `  - {id: c${at + 1}, composite: {commands: [c${at}, c${at}]}}`,
    );
    const text = events(
      "  - {id: c0, apply: {component: init}}",
      ...levels,
      "events: {preStart: [c60]}",
    );
    expect(read(text).applies?.map(({ name }) => name)).toEqual(["c0"]);
  });

  test("applies no volume", () => {
    const { text, places } = marked(events("  - {id: x, apply: {component: ▸data}}"));
    expect(wrong(text)).toEqual([`${places[0]} not-applicable`]);
  });
});

test("several commands of a group without a default are worth a warning", () => {
  const commands = (second: string) =>
    devfile(
      "components: [{name: a, container: {image: a}}]",
      "commands:",
      "  - {id: x, exec: {component: a, commandLine: x, group: {kind: test}}}",
      `  - {id: y, exec: {component: a, commandLine: y, group: {kind: ${second}}}}`,
    );
  expect(wrong(commands("test"))).toEqual(["4:10 no-default"]);
  expect(wrong(commands("test, isDefault: true"))).toEqual([]);
  expect(wrong(commands("build"))).toEqual([]);
});

describe("projects of the other lists", () => {
  const url = "https://example.org/a.git";

  test("dependent projects are checked out beside the others", () => {
    const model = read(
      devfile(
        `projects: [{name: a, git: {remotes: {o: '${url}'}}}]`,
        `dependentProjects: [{name: a, clonePath: b, git: {remotes: {o: '${url}'}}}]`,
      ),
    );
    expect(model.projects.map(({ clonePath }) => clonePath.known && clonePath.value)).toEqual([
      "a",
      "b",
    ]);
  });

  test("dependent projects cannot take another's folder", () => {
    const { text, places } = marked(
      devfile(
        `projects: [{name: a, git: {remotes: {o: '${url}'}}}]`,
        `dependentProjects: [{name: ▸a, git: {remotes: {o: '${url}'}}}]`,
      ),
    );
    expect(wrong(text)).toEqual([`${places[0]} duplicate-path`]);
  });

  test.each([
    ["two remotes", `git: {remotes: ▸{o: '${url}', u: '${url}'}}`, "several-remotes"],
    ["no remote", "git: {remotes: ▸{}}", "no-remote"],
    [
      "another remote",
      `git: {remotes: {o: '${url}'}, checkoutFrom: {remote: ▸x}}`,
      "unknown-remote",
    ],
    ["no source", "description: x", "no-project-kind"],
  ])("a starter project with %s is a mistake", (_, body, code) => {
    const mark = body.includes("▸") ? "" : "▸";
    const { text, places } = marked(devfile(`starterProjects: [${mark}{name: a, ${body}}]`));
    expect(wrong(text)).toEqual(places.map((place) => `${place} ${code}`));
  });

  test("starter projects are named as left out", () => {
    const text = devfile(`starterProjects: [{name: a, subDir: b, git: {remotes: {o: '${url}'}}}]`);
    expect(leftOut(read(text))).toEqual(['2 starter project "a"']);
  });
});
