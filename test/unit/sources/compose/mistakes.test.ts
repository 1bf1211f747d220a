import * as fc from "fast-check";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { formatDiagnostic } from "../../../../server/protocol/errors.ts";
import { SourceModel } from "../../../../server/protocol/source-model.ts";
import { readFiles, withoutPlaces, wrong } from "./reading.ts";

const web = (body: string) => `services:\n  web:\n    image: app\n    ${body}\n`;

test.each([
  ["", "compose.yaml:1:1 empty-file"],
  ["# nothing\n", "compose.yaml:1:1 empty-file"],
  ["[a]", "compose.yaml:1:1 wrong-type"],
  ["volumes: {a: }", "compose.yaml:1:1 no-services"],
  ["services: [a]", "compose.yaml:1:11 wrong-type"],
  ["services: {a b: {image: x}}", "compose.yaml:1:12 bad-name"],
  ["services:\n  web:\n", "compose.yaml:2:3 no-image"],
  ["services:\n  web: {user: a}", "compose.yaml:2:8 no-image"],
  ["services:\n  web: text", "compose.yaml:2:8 wrong-type"],
  [web("image: x"), "compose.yaml:4:5 duplicate-key"],
  [web("enviroment: {A: b}"), "compose.yaml:4:5 unknown-key"],
  [web("comand: x"), "compose.yaml:4:5 unknown-key"],
  [web("mem_limit: much"), "compose.yaml:4:16 bad-value"],
  [web("cpus: -1"), "compose.yaml:4:11 bad-value"],
  [web("ports: [x]"), "compose.yaml:4:13 bad-port"],
  [web("ports: [70000]"), "compose.yaml:4:13 bad-port"],
  [web('ports: ["3000-3005:80-90"]'), "compose.yaml:4:13 bad-port"],
  [web("ports: [{published: 80}]"), "compose.yaml:4:13 missing-key"],
  [web("volumes: [nobody:/a]"), "compose.yaml:4:15 unknown-volume"],
  [web("volumes: [./a:b]"), "compose.yaml:4:15 bad-path"],
  [web("volumes: [{type: bind, target: /a}]"), "compose.yaml:4:15 missing-key"],
  [web("networks: [nobody]"), "compose.yaml:4:16 unknown-network"],
  [web("secrets: [nobody]"), "compose.yaml:4:15 unknown-secret"],
  [web("configs: [nobody]"), "compose.yaml:4:15 unknown-config"],
  [web("depends_on: [wbe]"), "compose.yaml:4:18 unknown-service"],
  [web("depends_on: {web: {condition: service_healthy}}"), "compose.yaml:4:18 dependency-cycle"],
  [web("healthcheck: {test: [curl, x]}"), "compose.yaml:4:25 bad-check"],
  [web("healthcheck: {test: x, interval: 5}"), "compose.yaml:4:38 bad-value"],
  [web("command: it's"), "compose.yaml:4:14 bad-value"],
  [web("restart: sometimes"), "compose.yaml:4:14 bad-value"],
  [web('user: "a\\0b"'), "compose.yaml:4:11 bad-character"],
  [web("environment: {A: ${B}"), "compose.yaml:4:26 yaml-syntax"],
  [web("environment: {A: '${B'}"), "compose.yaml:4:23 bad-variable"],
  [web("environment: ['=x']"), "compose.yaml:4:19 bad-env-name"],
  [
    web("mem_limit: 1g\n    deploy: {resources: {limits: {memory: 2g}}}"),
    "compose.yaml:4:16 two-values",
  ],
  [
    web("networks: [a]\n    network_mode: none") + "networks: {a: }",
    "compose.yaml:5:19 two-values",
  ],
  [`${web("secrets: [s]")}secrets: {s: }`, "compose.yaml:5:11 missing-key"],
  [web("extends: nobody"), "compose.yaml:4:14 unknown-service"],
  [web("extends: web"), "compose.yaml:4:14 extends-cycle"],
  [web("extends: {file: ../x.yaml, service: a}"), "compose.yaml:4:21 outside-repository"],
  [web("extends: {file: /x.yaml, service: a}"), "compose.yaml:4:21 outside-repository"],
  [web("extends: {file: none.yaml, service: a}"), "compose.yaml:4:21 missing-file"],
  [`include: [../x.yaml]\n${web("")}`, "compose.yaml:1:11 outside-repository"],
  [`include: [compose.yaml]\n${web("")}`, "compose.yaml:1:11 include-cycle"],
  [`include: [none.yaml]\n${web("")}`, "compose.yaml:1:11 missing-file"],
  [web("env_file: /etc/env"), "compose.yaml:4:15 outside-repository"],
  [web("environment: {A: '${B:?say B}'}"), "compose.yaml:4:22 missing-variable"],
])("%j: %s", (text, place) => {
  expect(wrong(text)).toContain(place);
});

test("a mistake is shown with its line, and what was probably meant", () => {
  const result = readFiles(web("depends_on: [wbe]"));
  const [first] = result.ok ? [] : result.diagnostics;
  expect(first && formatDiagnostic(first).split("\n")).toEqual([
    'compose.yaml:4:18: unknown-service: No service is called "wbe"; did you mean "web"?',
    "  4 |     depends_on: [wbe]",
    "    |                  ^^^",
  ]);
});

test("two services that publish one port of the machine are told apart by address and protocol", () => {
  const clash = (one: string, other: string) =>
    wrong(`services:\n  a: {image: x, ports: ["${one}"]}\n  b: {image: x, ports: ["${other}"]}\n`);
  expect(clash("80:80", "80:81")).toEqual(["compose.yaml:3:25 clashing-ports"]);
  expect(clash("127.0.0.1:80:80", "80:81")).toEqual(["compose.yaml:3:25 clashing-ports"]);
  expect(clash("127.0.0.1:80:80", "127.0.0.2:80:81")).toEqual([]);
  expect(clash("80:80", "80:80/udp")).toEqual([]);
  expect(clash("80", "80")).toEqual([]);
});

test("circles across files have their place in the file that closes them", () => {
  const files = {
    "compose.yaml":
      "include: [a/compose.yaml]\nservices: {web: {extends: {file: x.yaml, service: x}}}",
    "a/compose.yaml": "include:\n  - ../compose.yaml\nservices: {b: {image: b}}",
    "x.yaml": "services:\n  x: {extends: {file: y.yaml, service: y}}",
    "y.yaml": "services:\n  y:\n    extends: {file: x.yaml, service: x}",
  };
  expect(wrong(files)).toEqual(
    expect.arrayContaining(["a/compose.yaml:2:5 include-cycle", "y.yaml:3:38 extends-cycle"]),
  );
  const env = { "compose.yaml": web("user: $A"), ".env": "A=$B\nB=$A\n" };
  expect(wrong(env)).toEqual([".env:1:1 variable-cycle", ".env:2:1 variable-cycle"]);
});

test("a circle of many services is found, and a long way that is none is no circle", () => {
  const services = (count: number, last: string) =>
    Array.from({ length: count }, (_, at) => [
      `s${at}`,
      { image: "x", depends_on: at + 1 < count ? [`s${at + 1}`, `s${count - 1}`] : [last] },
    ]);
  const text = (last: string) =>
    stringify({ services: { ...Object.fromEntries(services(300, last)), end: { image: "x" } } });
  expect(wrong(text("end"))).toEqual([]);
  expect(wrong(text("s0")).map((each) => each.split(" ")[1])).toContain("dependency-cycle");
});

test("a file that makes too much of itself is refused", () => {
  const codes = (files: Record<string, string>) => wrong(files).map((each) => each.split(" ")[1]);
  const include = Object.fromEntries(
    Array.from({ length: 31 }, (_, at) => [
      at === 0 ? "compose.yaml" : `f${at}.yaml`,
      `include: [f${at + 1}.yaml, ./f${at + 1}.yaml]\nservices: {a: {image: x}}`,
    ]),
  );
  expect(codes({ ...include, "f31.yaml": "services: {a: {image: x}}" })).toEqual(["too-much"]);
  const laughs = ["A0=ha", ...Array.from({ length: 40 }, (_, at) => `A${at + 1}=$A${at}$A${at}`)];
  expect(codes({ "compose.yaml": web("user: $A40"), ".env": laughs.join("\n") })).toContain(
    "too-long",
  );
  const many = Array.from({ length: 2000 }, (_, at) => `A${at}=x`).join("\n");
  const services = Object.fromEntries(
    Array.from({ length: 400 }, (_, at) => [`s${at}`, { image: "x", env_file: "many.env" }]),
  );
  const project = { "compose.yaml": stringify({ services }), "many.env": many };
  expect(codes(project)).toEqual(["too-much"]);
  const chain = Array.from({ length: 100 }, (_, at) => [`s${at}`, { extends: `s${at + 1}` }]);
  const long = { ...Object.fromEntries(chain), s100: { image: "x" } };
  expect(codes({ "compose.yaml": stringify({ services: long }) })).toContain("too-deep");
});

/** Texts that are nearly a compose file: each line may be gone, and pieces of it be others. */
const pieces = fc.constantFrom(
  ...["services:\n", "  web:\n", "    image: app\n", "    build: .\n", "    extends: web\n"],
  ...["    environment:\n", "      A: ${A:-$B}\n", "      - A=$C\n", "    ports: [80:80, x]\n"],
  ...["    volumes: [a:/b, {type: x}]\n", "    <<: *x\n", "    &x a: b\n", "    deploy: {a: [}]\n"],
  ...[
    "    command: it's\n",
    "    healthcheck: {test: [NONE]}\n",
    "    networks: {a: {aliases: 5}}\n",
  ],
  ...["volumes: {a: {driver_opts: 5}}\n", "include: [a.env, {path: 5}]\n", "x-y: &x {a: *x}\n"],
  ...["    secrets: [{source: {}}]\n", "    env_file: [a.env]\n", "    depends_on: {web: 5}\n"],
  ...[
    "    profiles: 5\n",
    "    !reset\n",
    "    a: !override [b]\n",
    "\t",
    "\0",
    "\uD800",
    "- - -\n",
  ],
);

test("no text brings it down; each mistake has a place in its file", () => {
  fc.assert(
    fc.property(
      fc.array(pieces, { maxLength: 25 }),
      fc.array(pieces, { maxLength: 8 }),
      (first, second) => {
        const files: Record<string, string> = {
          "compose.yaml": first.join(""),
          "over.yaml": second.join(""),
          "a.env": first.join("").replaceAll(": ", "="),
        };
        const result = readFiles(files, { paths: ["compose.yaml", "over.yaml"] });
        if (result.ok) SourceModel.parse(result.model);
        else expect(result.diagnostics.length).toBeGreaterThan(0);
        for (const { file, line, column } of result.ok ? result.warnings : result.diagnostics) {
          const lines = (files[file] ?? "").split("\n");
          expect(line).toBeLessThanOrEqual(Math.max(1, lines.length));
          expect(column).toBeLessThanOrEqual((lines[line - 1]?.length ?? 0) + 1);
        }
      },
    ),
    { numRuns: 300 },
  );
});

const value = fc.constantFrom("a", "b c", "x:y", "80", "true", "it's", "$$d", "ü", "#no");

const project = fc.record({
  web: fc.record(
    {
      image: fc.constantFrom("app", "app:1"),
      environment: fc.dictionary(fc.constantFrom("A", "B", "C"), value),
      command: fc.array(value),
      ports: fc.uniqueArray(fc.constantFrom("80:80", "81", "82:82/udp")),
      labels: fc.dictionary(fc.constantFrom("l", "m"), value),
      mem_limit: fc.constantFrom("1g", "5m"),
      user: fc.constantFrom("1000", "root"),
      volumes: fc.uniqueArray(fc.constantFrom("data:/a", "./x:/b", "/c")),
    },
    { requiredKeys: ["image"] },
  ),
  db: fc.record({ image: fc.constant("postgres:17"), healthcheck: fc.constant({ test: "x" }) }),
});

test("comments, quotes, style and the order of keys change no value", () => {
  fc.assert(
    fc.property(project, fc.boolean(), ({ web: one, db }, isFlow) => {
      const turned = (map: object) => Object.fromEntries(Object.entries(map).toReversed());
      const plain = stringify({ services: { web: one, db }, volumes: { data: {} } });
      const other = stringify(
        { volumes: { data: null }, services: { web: turned(one), db: turned(db) } },
        { defaultStringType: "QUOTE_DOUBLE", collectionStyle: isFlow ? "flow" : "any" },
      );
      const commented = other.replaceAll(/\n(?=\S)/g, "\n\n# a word\n");
      const of = (text: string) => {
        const result = readFiles(text);
        if (!result.ok)
          throw new Error(`${text}\n${result.diagnostics.map(formatDiagnostic).join("\n")}`);
        const { leftOut, ...rest } = result.model;
        return { rest: withoutPlaces(rest), leftOut: leftOut.map(({ what }) => what).sort() };
      };
      expect(of(commented)).toEqual(of(plain));
    }),
  );
});

test("five hundred services are read, each with its own", () => {
  const services = Object.fromEntries(
    Array.from({ length: 500 }, (_, at) => [
      `s${at}`,
      {
        image: `registry.example.org/team/app${at}:1.2`,
        environment: { PORT: `\${PORT:-${1000 + at}}` },
        ports: [`${10_000 + at}:80`],
        ...(at === 0 ? {} : { depends_on: { [`s${at - 1}`]: { condition: "service_started" } } }),
        networks: [`n${at % 50}`, "all"],
        volumes: ["data:/data"],
        mem_limit: `${at + 1}m`,
      },
    ]),
  );
  const networks = Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`n${at}`, {}]));
  const result = readFiles(
    stringify({ services, networks: { ...networks, all: {} }, volumes: { data: {} } }),
  );
  if (!result.ok) throw new Error(result.diagnostics.map(formatDiagnostic).join("\n"));
  expect(result.warnings).toEqual([]);
  expect(result.model.services.length).toBe(500);
  expect(result.model.services[321]).toMatchObject({
    name: { value: "s321" },
    image: { value: "registry.example.org/team/app321:1.2" },
    env: { PORT: { value: { value: "1321" } } },
    memoryLimitBytes: { value: 322 * 1024 ** 2 },
    dependsOn: [{ value: { service: "s320" } }],
  });
});
