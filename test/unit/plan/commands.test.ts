import { spawnSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { plan } from "../../../server/plan/plan.ts";
import type { WorkspacePlan } from "../../../server/protocol/plan.ts";
import { read } from "../sources/reading.ts";

let folder: string;

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "oneloop-commands-")));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Line {
  readonly line?: string;
  readonly parts?: readonly string[];
  readonly parallel?: boolean;
  readonly [key: string]: unknown;
}

/** A plan whose dev service is `tools`; `db` has no supervisor. */
function planOf(commands: Readonly<Record<string, Line>>): WorkspacePlan {
  const model = read(
    stringify({
      schemaVersion: "2.2.2",
      components: [
        { name: "tools", container: { image: "tools:1" } },
        { name: "db", container: { image: "db:1", mountSources: false } },
      ],
      commands: Object.entries(commands).map(([id, { line, parts, parallel, ...more }]) =>
        parts === undefined
          ? { id, exec: { component: "tools", workingDir: folder, ...more, commandLine: line } }
          : { id, composite: { commands: parts, ...(parallel === true && { parallel }), ...more } },
      ),
    }),
  );
  return plan(model, null, { checkout: null });
}

/** Runs an offered command as the supervisor would: the plan's own argument vector. */
function run(planned: WorkspacePlan, name: string) {
  const found = planned.commands?.find((one) => one.name === name);
  const [program = "", ...args] = found?.command ?? [];
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: found?.cwd ?? "/",
    env: { PATH: process.env["PATH"], ...found?.env },
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

describe("a composite command", () => {
  test("runs its commands in turn, each in its own folder with its own variables", () => {
    const planned = planOf({
      one: { line: 'echo "$A in $PWD" # said', env: [{ name: "A", value: "it's" }] },
      two: { line: "cd /; exit 0", workingDir: "/tmp" },
      three: { line: 'echo "${A-none}"; pwd', workingDir: "/usr" },
      all: { parts: ["one", "two", "three"] },
    });
    expect(run(planned, "all")).toMatchObject({
      status: 0,
      stdout: `it's in ${folder}\nnone\n/usr\n`,
    });
  });

  test("ends with the first that fails", () => {
    const planned = planOf({
      fails: { line: "exit 7" },
      after: { line: "echo never" },
      all: { parts: ["fails", "after"] },
      outer: { parts: ["all", "after"] },
    });
    expect(run(planned, "outer")).toMatchObject({ status: 7, stdout: "" });
  });

  test("runs them at once where it says so, and fails as the first of its list that failed", () => {
    // Each waits for the other: in turn neither would end.
    const planned = planOf({
      a: { line: "mkfifo ab ba; echo a > ab; cat ba; exit 3" },
      b: { line: "until [ -p ab ] && [ -p ba ]; do :; done; cat ab; echo b > ba; exit 4" },
      both: { parts: ["a", "b"], parallel: true },
    });
    const { status, stdout } = run(planned, "both");
    expect(status).toBe(3);
    expect(stdout.split("\n").sort()).toEqual(["", "a", "b"]);
  });

  test("of which a part is another component's is left out with its line, like that part", () => {
    const { commands, leftOut } = planOf({
      one: { line: "true" },
      seed: { line: "true", component: "db" },
      both: { parts: ["one", "seed"] },
    });
    expect(commands?.map(({ name }) => name)).toEqual(["one"]);
    expect(leftOut.map(({ what }) => what)).toEqual(["command seed", "command both"]);
    expect(leftOut[1]?.where).toMatchObject({ file: "devfile.yaml", line: 21 });
  });

  test("that asks for millions is left out, quickly", () => {
    const doubled = Object.fromEntries(
      Array.from({ length: 40 }, (_, at) => [
        `c${at + 1}`,
        { parts: [`c${at}`, `c${at}`] as readonly string[] },
      ]),
    );
    const { commands, leftOut } = planOf({ c0: { line: "true" }, ...doubled });
    expect(commands?.at(-1)?.name).toBe("c8");
    expect(leftOut).toHaveLength(32);
  });
});

test("an offered command keeps its label and group", () => {
  const { commands } = planOf({
    go: { line: "true", label: "Go on", group: { kind: "run", isDefault: true } },
  });
  expect(commands).toEqual([
    {
      name: "go",
      label: "Go on",
      group: { kind: "run", isDefault: true },
      in: "tools",
      command: ["sh", "-c", "true"],
      cwd: folder,
      env: {},
    },
  ]);
});
