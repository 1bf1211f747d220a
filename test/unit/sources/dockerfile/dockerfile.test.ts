import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readDockerfile, type Dockerfile } from "../../../../server/sources/dockerfile/read.ts";
import {
  expandVariables,
  stagesFor,
  stepsOf,
} from "../../../../server/sources/dockerfile/steps.ts";

function read(text: string): Dockerfile {
  const result = readDockerfile(text, "Dockerfile");
  if (!result.ok) throw new Error(JSON.stringify(result.diagnostics, null, 1));
  return result.dockerfile;
}

function mistakes(text: string): string[] {
  const result = readDockerfile(text, "Dockerfile");
  if (result.ok) throw new Error("it was read");
  return result.diagnostics.map(({ line, column, code }) => `${line}:${column} ${code}`);
}

describe("a Dockerfile", () => {
  test("has stages, what stands before them, and programs apart from the rest", () => {
    const { globals, stages } = read(`# syntax=docker/dockerfile:1
ARG NODE=20
ARG EMPTY
FROM node:\${NODE} AS build
WORKDIR /app
COPY package.json ./
RUN npm ci \\
  # a comment
  --omit=dev
RUN ["npm", "run", "build"]
COPY . .
FROM build
COPY --from=build --chown=1:1 /app/dist /srv
CMD ["node", "/srv"]
`);
    expect(globals).toEqual([
      { name: "NODE", value: "20" },
      { name: "EMPTY", value: null },
    ]);
    expect(stages.map(({ name, from, line }) => [name, from, line])).toEqual([
      ["build", "node:${NODE}", 4],
      [null, "build", 12],
    ]);
    const [first, second] = stages.map(stepsOf);
    expect(
      first?.map((step) => (step.kind === "run" ? step.command : step.instructions.length)),
    ).toEqual([2, expect.stringMatching(/^npm ci +--omit=dev$/), ["npm", "run", "build"], 1]);
    const copy = stages[1]?.instructions[0];
    expect(copy).toMatchObject({ kind: "copy", from: "build" });
    expect(copy?.kind === "copy" && copy.withFrom("sha256:1")).toBe(
      "COPY --from=sha256:1 --chown=1:1 /app/dist /srv",
    );
    expect(second).toHaveLength(1);
  });

  test("may have its own character that joins lines", () => {
    const { escape, stages } = read("# escape=`\nFROM a\nRUN echo `\n  b\n");
    expect(escape).toBe("`");
    expect(stages[0]?.instructions[0]).toMatchObject({ kind: "run", command: "echo   b" });
  });

  test("a here-document is a script, or what a command reads", () => {
    const { stages } = read(`FROM a
RUN <<EOF
set -e
echo one
EOF
RUN cat <<'EOF' > /f
two
EOF
`);
    expect(stages[0]?.instructions.map((one) => (one.kind === "run" ? one.command : ""))).toEqual([
      "set -e\necho one",
      "cat <<'EOF' > /f\ntwo\nEOF",
    ]);
  });

  test("an argument vector that is no JSON is a line for the shell", () => {
    const { stages } = read("FROM a\nRUN [ -f /x ] && echo y\n");
    expect(stages[0]?.instructions[0]).toMatchObject({ command: "[ -f /x ] && echo y" });
  });

  test("that asks for what cannot be confined is refused, with all places", () => {
    expect(
      mistakes(`FROM a
RUN --mount=type=secret,id=x cat /run/secrets/x
RUN --mount=type=cache,target=/root/.npm npm ci
ADD https://example.org/x /x
ADD --chown=1:1 git@example.org:o/r.git /x
ONBUILD RUN x
COPY --link a b
COPY <<EOF /f
x
EOF
RUN --security=insecure x
WAT 1
`),
    ).toEqual([
      "2:1 run-flag",
      "4:1 add-url",
      "5:1 add-url",
      "6:1 onbuild",
      "7:1 copy-flag",
      "8:1 copy-heredoc",
      "11:1 run-flag",
      "12:1 unknown-instruction",
    ]);
  });

  test.each([
    ["", ["1:1 no-from"]],
    ["# only\n", ["1:1 no-from"]],
    ["RUN x\nFROM a\n", ["1:1 no-from"]],
    ["ARG A\n", ["1:1 no-from"]],
    ["FROM\n", ["1:1 no-image"]],
    [`FROM a\n${"# x".repeat(100_000)}`, ["1:1 too-large"]],
  ])("%#: without its beginning is refused", (text, expected) => {
    expect(mistakes(text)).toEqual(expected);
  });

  test("of any text is read, or refused with a place", () => {
    const word = fc.oneof(
      fc.constantFrom(
        "FROM ",
        "RUN ",
        "COPY --from=",
        "ARG A",
        "<<EOF",
        "\n",
        "\\\n",
        "[",
        '"',
        "#",
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), (words) => {
        const result = readDockerfile(words.join(""), "Dockerfile");
        if (result.ok) return result.dockerfile.stages.length > 0;
        return result.diagnostics.every(({ line, column }) => line >= 1 && column >= 1);
      }),
      { numRuns: 500 },
    );
  });
});

describe("the stages for a target", () => {
  const file = read(`FROM base AS a
FROM a AS unused
FROM other AS b
COPY --from=0 /x /x
FROM b AS c
COPY --from=image:1 /y /y
`);
  const names = (target: string | null) =>
    stagesFor(file, target, ({ from }) => from).map(({ name }) => name);

  test("are those that it takes from, in order", () => {
    expect(names(null)).toEqual(["a", "b", "c"]);
    expect(names("B")).toEqual(["a", "b"]);
    expect(names("0")).toEqual(["a"]);
  });

  test("that is not there are none", () => {
    expect(() => names("nowhere")).toThrow("no stage nowhere");
  });
});

test.each([
  ["$A-${A}", "1-1"],
  ["${B:-x$A}${A:-y}", "x11"],
  ["${A:+set}${B:+set}", "set"],
  ["\\$A $ ${", "$A $ ${"],
  ["$UNKNOWN.", "."],
])("variables: %s is %s", (text, expected) => {
  expect(expandVariables(text, new Map([["A", "1"]]))).toBe(expected);
});
