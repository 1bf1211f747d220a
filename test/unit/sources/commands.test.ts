import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { readDevfile } from "../../../server/sources/devfile/read.ts";
import { leftOut, marked, read, shown, wrong } from "./reading.ts";

/** A devfile with containers `a` and `b`, volume `v`; the commands' lines begin on line 6. */
function devfile(commands: readonly string[], events: readonly string[] = []): string {
  return [
    "schemaVersion: 2.2.2",
    "components:",
    "  - {name: a, container: {image: i}}",
    "  - {name: b, container: {image: i}}",
    "  - {name: v, volume: {}}",
    "commands:",
    ...commands.map((line) => `  ${line}`),
    ...(events.length === 0 ? [] : ["events:", ...events.map((line) => `  ${line}`)]),
  ].join("\n");
}

const exec = (id: string, more = ""): string =>
  `- {id: ${id}, exec: {component: a, commandLine: run ${id}${more}}}`;
const composite = (id: string, parts: string, more = ""): string =>
  `- {id: ${id}, composite: {commands: [${parts}]${more}}}`;

/** `name(needs)` of every task of an event. */
function order(text: string): string[] {
  return read(text).tasks.flatMap(({ name, needs, event }) =>
    event === null ? [] : [`${event} ${name}(${needs.join(",")})`],
  );
}

describe("a command", () => {
  test("is read with every field, at its place", () => {
    const { commands, leftOut: left } = read(
      devfile([
        "- id: build",
        "  exec:",
        "    component: a",
        "    commandLine: npm ci",
        "    workingDir: ${PROJECT_SOURCE}/app",
        "    label: Build it",
        "    env: [{name: A, value: x}]",
        "    group: {kind: build, isDefault: true}",
        "    hotReloadCapable: false",
      ]),
    );
    expect(commands).toMatchObject([
      {
        name: "build",
        label: "Build it",
        group: { kind: "build", isDefault: true },
        runs: {
          service: { value: "a", where: { line: 9, column: 18 } },
          commandLine: { value: "npm ci", where: { line: 10, column: 20 } },
          workingDir: { value: "${PROJECT_SOURCE}/app", where: { line: 11 } },
          env: [{ name: "A", value: { value: "x", where: { line: 13 } } }],
        },
        where: { line: 7, column: 9 },
      },
    ]);
    expect(left).toMatchObject([
      { what: 'hotReloadCapable of command "build"', where: { line: 15, column: 25 } },
    ]);
  });

  test("that reloads by itself is never started again, as it says: nothing is left out", () => {
    expect(leftOut(read(devfile([exec("x", ", hotReloadCapable: true")])))).toEqual([]);
  });

  test("is offered to who asks for it, whether an event runs it or not", () => {
    const model = read(
      devfile([exec("x"), exec("y"), composite("both", "X, y")], ["postStart: [y]"]),
    );
    expect(model.tasks.map(({ name, event }) => [name, event])).toEqual([["y", "postStart"]]);
    expect(model.commands?.map(({ name }) => name)).toEqual(["x", "y", "both"]);
    expect(model.commands?.[2]?.runs).toEqual({ commands: ["x", "y"], parallel: false });
    expect(model.leftOut).toEqual([]);
  });

  test("runs once, where Oneloop's own attribute says so; another attribute is left out", () => {
    const once = (attributes: string): string =>
      `- {id: x, attributes: {${attributes}}, exec: {component: a, commandLine: x}}`;
    const model = read(devfile([once("oneloop/once: container")], ["postStart: [x]"]));
    expect(model.tasks).toMatchObject([{ name: "x", once: "container", event: "postStart" }]);
    expect(model.leftOut).toEqual([]);
    expect(wrong(devfile([once("oneloop/once: never")]))).toEqual([
      expect.stringMatching(/ bad-choice$/),
    ]);
    const other = read(devfile([once("oneloop/once: workspace, a: b")]));
    expect(leftOut(other)).toEqual([expect.stringContaining('attributes of command "x"')]);
  });

  test("that is not run is named with its line", () => {
    const model = read(
      devfile(
        [
          "- {id: init, apply: {component: b}}",
          "- {id: alone, apply: {component: b}}",
          "- {id: x, attributes: {a: b}, exec: {component: a, commandLine: x}}",
          composite("both", "x"),
        ],
        ["preStart: [init]", "postStop: [INIT]", "preStop: []"],
      ),
    );
    expect(leftOut(model)).toEqual(['8 command "alone" (apply)', '9 attributes of command "x"']);
  });

  test("whose component or id may stand in the parent, which is not read, is left out", () => {
    const text = devfile(
      ["- {id: x, exec: {component: far, commandLine: x}}", exec("y"), composite("c", "gone, y")],
      ["postStart: [x, other, c]", "parent: {kubernetes: {name: nodejs}}"],
    ).replace("  parent", "parent");
    const model = read(text);
    expect(order(text)).toEqual(["postStart y()"]);
    expect(leftOut(model)).toEqual([
      '7 command "x" (exec)',
      '9 command "gone" in command "c"',
      '11 command "other" in event "postStart"',
      "12 the parent (kubernetes)",
    ]);
  });

  test("for one editor is left out, in the version that had them", () => {
    const text = "schemaVersion: 2.0.0\ncommands: [{id: x, vscodeTask: {inlined: '{}'}}]";
    expect(leftOut(read(text))).toEqual(['2 command "x" (vscodeTask)']);
    expect(wrong(text.replace("2.0.0", "2.2.0"))).toEqual(["2:20 key-of-earlier-version"]);
  });
});

describe("an event", () => {
  test("runs its commands in the order of its list", () => {
    const text = devfile([exec("x"), exec("y"), exec("z")], ["postStart: [z, X, y]"]);
    expect(order(text)).toEqual(["postStart z()", "postStart x(z)", "postStart y(x)"]);
  });

  test("runs the parts of a composite one after the other, or beside each other", () => {
    const commands = [exec("x"), exec("y"), exec("z"), exec("end")];
    const chain = [...commands, composite("c", "x, y")];
    expect(order(devfile(chain, ["preStop: [z, c, end]"]))).toEqual([
      "preStop z()",
      "preStop x(z)",
      "preStop y(x)",
      "preStop end(y)",
    ]);
    const beside = [...commands, composite("c", "x, inner", ", parallel: true")];
    const inner = composite("inner", "y, z");
    expect(order(devfile([...beside, inner], ["postStart: [c, end]"]))).toEqual([
      "postStart x()",
      "postStart y()",
      "postStart z(y)",
      "postStart end(x,z)",
    ]);
  });

  test("may run a command again, under another name", () => {
    const text = devfile(
      [exec("x"), exec("x-2"), composite("c", "x, x")],
      ["postStart: [x, c, x-2]"],
    );
    expect(order(text)).toEqual([
      "postStart x()",
      "postStart x-3(x)",
      "postStart x-4(x-3)",
      "postStart x-2(x-4)",
    ]);
  });

  test("with an empty composite goes on after it", () => {
    const text = devfile([exec("x"), exec("y"), composite("c", "")], ["postStart: [x, c, y]"]);
    expect(order(text)).toEqual(["postStart x()", "postStart y(x)"]);
  });
});

describe("a mistake in a command", () => {
  const line = "commandLine: x";
  const run = "{kind: run, isDefault: true}";
  const inGroup = (id: string, mark = ""): string =>
    exec(id, `, group: ${run.replace("true", `${mark}true`)}`);
  test.each([
    ["no id", [`- ▸exec: {component: a, ${line}}`], "missing-key"],
    ["an id in upper case", [exec("▸Build")], "bad-name"],
    ["no kind", ["- ▸id: x"], "no-command-kind"],
    ["two kinds", ["- {id: x, composite: {}, ▸apply: {component: a}}"], "two-command-kinds"],
    ["no line", ["- {id: x, exec: ▸{component: a}}"], "missing-key"],
    ["no component", [`- {id: x, exec: ▸{${line}}}`], "missing-key"],
    ["an empty line", ["- {id: x, exec: {component: a, commandLine: ▸' '}}"], "empty-command"],
    ["an unknown component", [`- {id: x, exec: {component: ▸c, ${line}}}`], "unknown-component"],
    ["a volume", [`- {id: x, exec: {component: ▸v, ${line}}}`], "not-a-container"],
    ["an unknown key", [exec("x", ", ▸parallel: true")], "unknown-key"],
    ["a wrong type", [exec("x", ", hotReloadCapable: ▸no")], "wrong-type"],
    ["a bad group", [exec("x", ", group: {kind: ▸dance}")], "bad-choice"],
    ["a group without kind", [exec("x", ", group: ▸{isDefault: true}")], "missing-key"],
    ["a bad variable", [exec("x", ", env: [{name: ▸1x, value: a}]")], "bad-env-name"],
    ["a reserved one", [exec("x", ", env: [{name: ▸PROJECT_SOURCE, value: a}]")], "reserved-env"],
    ["the same id twice", [exec("x"), exec("▸x")], "duplicate-command"],
    ["a composite of nobody", [composite("c", "▸nobody")], "unknown-command"],
    ["a composite of itself", [composite("c", "▸C")], "command-cycle"],
    ["a cycle", [composite("c", "d"), composite("d", "e"), composite("e", "▸c")], "command-cycle"],
    ["parallel: maybe", [composite("c", "", ", parallel: ▸maybe")], "wrong-type"],
    ["two defaults of one group", [inGroup("x"), inGroup("y", "▸")], "two-defaults"],
    ["apply without component", ["- {id: x, apply: ▸{}}"], "missing-key"],
    ["apply of nobody", ["- {id: x, apply: {component: ▸c}}"], "unknown-component"],
  ])("is reported at its place: %s", (_, commands, code) => {
    const { text, places } = marked(devfile(commands.map((each) => each.replace("run ▸", "run "))));
    expect(wrong(text)).toEqual([`${places[0]} ${code}`]);
  });

  test.each([
    ["an unknown event", "▸postBegin: [x]", "unknown-key"],
    ["an unknown command", "postStart: [▸y]", "unknown-command"],
    ["an apply command after the start", "postStart: [x, ▸on]", "wrong-event"],
    ["one in a composite", "preStop: [▸mixed]", "wrong-event"],
    ["an exec command before the start", "preStart: [▸x]", "wrong-event"],
    ["something else than a list", "postStart: ▸x", "wrong-type"],
  ])("of an event is reported at its place: %s", (_, event, code) => {
    const commands = [exec("x"), "- {id: on, apply: {component: b}}", composite("mixed", "x, on")];
    const { text, places } = marked(devfile(commands, [event]));
    expect(wrong(text)).toEqual([`${places[0]} ${code}`]);
  });

  test("is reported once: what refers to a bad name or id is no second mistake", () => {
    const bad = devfile([exec("Build"), composite("c", "build")], ["postStart: [Build]"]);
    expect(wrong(bad)).toEqual(["7:10 bad-name"]);
    const badContainer = devfile([exec("x")])
      .replace("name: a", "name: A")
      .replace("nt: a", "nt: A");
    expect(wrong(badContainer)).toEqual(["3:12 bad-name"]);
    const noKind = devfile([exec("x")]).replace("{name: a, container: {image: i}}", "{name: a}");
    expect(wrong(noKind)).toEqual(["3:5 no-component-kind"]);
  });

  test("is shown with a caret and what was meant", () => {
    expect(shown(devfile([exec("build")], ["postStart: [biuld]"]))).toEqual([
      'devfile.yaml:9:15: unknown-command: No command has the id "biuld"; did you mean "build"?',
      "  9 |   postStart: [biuld]",
      "    |               ^^^^^",
    ]);
  });
});

describe("hostile commands", () => {
  const doubling = (count: number, leaf: string): object[] =>
    Array.from({ length: count }, (_, at) => {
      const inner = at === 0 ? leaf : `c${at - 1}`;
      return { id: `c${at}`, composite: { commands: [inner, inner], parallel: at % 2 === 0 } };
    });
  const whole = (commands: object[], first: string): string =>
    stringify({
      schemaVersion: "2.2.2",
      components: [{ name: "a", container: { image: "i" } }],
      commands,
      events: { postStart: [first] },
    });

  test("that ask for a million tasks, or for none a million times, are refused", () => {
    const leaf = { id: "x", exec: { component: "a", commandLine: "x" } };
    const empty = { id: "x", composite: {} };
    for (const last of [leaf, empty]) {
      const text = whole([last, ...doubling(40, "x")], "c39");
      const result = readDevfile(text, "devfile.yaml");
      expect(result.ok ? [] : result.diagnostics.map(({ code }) => code)).toEqual([
        "too-many-tasks",
      ]);
    }
  });

  test.each([
    [1000, "too-deep"],
    [5001, "too-many-commands"],
  ])("in a chain of %i are refused, not recursed into", (length, code) => {
    const chain = Array.from({ length }, (_, at) => ({
      id: `c${at}`,
      composite: { commands: [`c${at + 1}`] },
    }));
    const result = readDevfile(whole(chain, "c0"), "devfile.yaml");
    expect(result.ok ? [] : result.diagnostics.map((each) => each.code)).toContain(code);
  });
});

test("every task waits for tasks before it, and each list keeps its order", () => {
  // Commands refer only to those before them, so none leads back to itself.
  const commands = fc.array(
    fc.record({ parts: fc.array(fc.nat(), { maxLength: 3 }), parallel: fc.boolean() }),
    { minLength: 1, maxLength: 6 },
  );
  fc.assert(
    fc.property(commands, fc.array(fc.nat(), { maxLength: 4 }), (composites, started) => {
      const leaves = ["x", "y", "z"];
      const ids = [...leaves, ...composites.map((_, at) => `c${at}`)];
      const pick = (from: readonly string[], at: number): string => from[at % from.length] ?? "";
      const text = stringify({
        schemaVersion: "2.2.2",
        components: [{ name: "a", container: { image: "i" } }],
        commands: [
          ...leaves.map((id) => ({ id, exec: { component: "a", commandLine: id } })),
          ...composites.map(({ parts, parallel }, at) => ({
            id: `c${at}`,
            composite: {
              commands: parts.map((part) => pick(ids.slice(0, 3 + at), part)),
              parallel,
            },
          })),
        ],
        events: { postStart: started.map((at) => pick(ids, at)) },
      });
      const result = readDevfile(text, "devfile.yaml");
      if (!result.ok) return expect(result.diagnostics[0]?.code).toBe("too-many-tasks");
      const tasks = result.model.tasks.filter(({ event }) => event !== null);
      const before = new Set<string>();
      for (const { name, needs } of tasks) {
        expect(before.has(name)).toBe(false);
        for (const need of needs) expect(before).toContain(need);
        before.add(name);
      }
      // The sequential reading of the same commands is the order of the list.
      const flat = (id: string): string[] => {
        const at = Number(id.slice(1));
        return leaves.includes(id)
          ? [id]
          : (composites[at]?.parts ?? []).flatMap((part) => flat(pick(ids.slice(0, 3 + at), part)));
      };
      expect(tasks.map(({ commandLine }) => commandLine.known && commandLine.value)).toEqual(
        started.flatMap((at) => flat(pick(ids, at))),
      );
    }),
  );
});
