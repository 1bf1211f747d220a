import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { spawnSync } from "node:child_process";
import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createProgram } from "../../../cli/src/catalogue.ts";
import { pickCommand, remoteLine } from "../../../cli/src/commands/run.ts";
import { readFolder } from "../../../cli/src/folder.ts";
import { readModel } from "../../../cli/src/models.ts";
import { previewLines } from "../../../cli/src/preview-lines.ts";
import { sarif } from "../../../cli/src/sarif.ts";
import { validate } from "../../../cli/src/validating.ts";
import type { CommandView, Preview } from "../../../cli/src/wire.ts";

let folder: string;
const before = process.cwd();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-configuration-"));
  process.chdir(folder);
  process.exitCode = undefined;
});

afterEach(async () => {
  process.chdir(before);
  process.exitCode = undefined;
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

/** Runs a command as `loop` does, and gives what it prints. */
async function loop(...args: string[]): Promise<{ out: string; err: string; status: unknown }> {
  const [out, err] = [vi.spyOn(process.stdout, "write"), vi.spyOn(process.stderr, "write")];
  for (const each of [out, err]) each.mockImplementation(() => true);
  const program: Command = await createProgram("0.0.0", ({ name }) => name === args[0]);
  await program.parseAsync(args, { from: "user" });
  const said = (spy: typeof out) => spy.mock.calls.map(([text]) => String(text)).join("");
  return { out: said(out), err: said(err), status: process.exitCode };
}

interface Sarif {
  readonly version: string;
  readonly runs: readonly [
    {
      readonly tool: {
        readonly driver: { readonly name: string; readonly rules: readonly unknown[] };
      };
      readonly results: readonly {
        readonly ruleId: string;
        readonly ruleIndex: number;
        readonly locations: readonly [
          {
            readonly physicalLocation: {
              readonly artifactLocation: { readonly uri: string };
              readonly region: Readonly<Record<"startLine" | "startColumn" | "endColumn", number>>;
            };
          },
        ];
      }[];
    },
  ];
}

const command = (name: string, more: Partial<CommandView> = {}): CommandView => ({
  ...{ name, label: null, group: null, line: "true", cwd: null, env: {}, where: [] },
  ...more,
});

describe("a command that is asked for", () => {
  const test1 = command("unit", { group: { kind: "test", isDefault: false } });
  const test2 = command("all", { group: { kind: "test", isDefault: true } });
  const build = command("compile", { group: { kind: "build", isDefault: false } });
  const named = command("debug");

  test("is the one of this name, else the default of this purpose, or the only one", () => {
    const all = [test1, test2, build, named];
    expect(pickCommand(all, "unit")).toBe(test1);
    expect(pickCommand(all, "test")).toBe(test2);
    expect(pickCommand(all, "build")).toBe(build);
    expect(pickCommand(all, "debug")).toBe(named);
  });

  test("is refused with the names that there are", () => {
    expect(() => pickCommand([test1, build], "deploy")).toThrow(/no command deploy.*unit, compile/);
    const two = [test1, { ...test2, group: { kind: "test" as const, isDefault: false } }, build];
    expect(() => pickCommand(two, "test")).toThrow(/several for test.*: unit, all$/);
    expect(() => pickCommand([], "test")).toThrow(/offers no commands/);
  });

  test("runs at the other end in its folder, with its variables, as it is written", async () => {
    await write({ "a b/x": "" });
    const line = remoteLine(
      command("x", {
        line: `echo "$A's" 'in' "\${PWD##*/}" # $`,
        cwd: join(folder, "a b"),
        env: { A: "it" },
      }),
    );
    const { stdout } = spawnSync("sh", ["-c", line], { encoding: "utf8" });
    expect(stdout).toBe("it's in a b\n");
  });
});

describe("loop init", () => {
  test("writes the devfile that is found, and validate finds no mistake in it", async () => {
    await write({ "package.json": '{"scripts": {"test": "x"}}', "api/go.mod": "module a\n" });
    const { out } = await loop("init");
    expect(out).toContain("devfile.yaml: Node.js (package.json), Go (api/go.mod)");
    const text = await readFile(join(folder, "devfile.yaml"), "utf8");
    expect(text).toContain('# package.json:1: the script "test"');
    expect(await validate("devfile.yaml")).toEqual({
      ...{ files: ["devfile.yaml"], diagnostics: [], unread: [] },
    });
    expect((await loop("validate")).err).toBe("devfile.yaml: no mistakes.\n");
  });

  test("writes over nothing, unless it is told to", async () => {
    await write({ "devfile.yaml": "mine" });
    await expect(loop("init")).rejects.toMatchObject({ code: "conflict", status: 1 });
    expect(await readFile(join(folder, "devfile.yaml"), "utf8")).toBe("mine");
    await write({ "devfile.yaml": "", ".devfile.yaml": "" });
    await rm(join(folder, "devfile.yaml"));
    await expect(loop("init")).rejects.toThrow(/There is a \.devfile\.yaml here/);
    await loop("init", "--force");
    expect(await readFile(join(folder, "devfile.yaml"), "utf8")).toContain("schemaVersion");
  });
});

describe("a folder that is sent", () => {
  const large = (text: string, bytes = 600 * 1024): string => text + "# x\n".repeat(bytes / 4);

  test("says of files that are too large how large they are, wherever they are named", async () => {
    await write({
      "devfile.yaml": "schemaVersion: 2.2.2\nparent: {uri: base/parent.yaml}\n",
      "base/parent.yaml": large("schemaVersion: 2.2.2\n"),
      "package.json": large("{}"),
      "k8s/deeper/a.yaml": large("apiVersion: v1\nkind: Service\n"),
      "k8s/b.yaml": large("apiVersion: v1\nkind: Service\n", 5 * 1024 * 1024),
      "k8s/c.yaml": "apiVersion: v1\nkind: Service\n",
    });
    const { texts, tooLarge = {}, paths } = await readFolder(".", "k8s");
    const names = ["base/parent.yaml", "k8s/b.yaml", "k8s/deeper/a.yaml", "package.json"];
    expect(Object.keys(tooLarge).toSorted()).toEqual(names);
    expect(tooLarge["package.json"]).toBe(600 * 1024 + 2);
    expect(paths).toEqual(expect.arrayContaining(names));
    expect(Object.keys(texts)).toContain("devfile.yaml");
    for (const name of names) expect(texts).not.toHaveProperty([name]);
  });

  test("is not too large for its bytes where its characters are few enough", async () => {
    const text = "apiVersion: v1\nkind: Service\n# " + "ü".repeat(300 * 1024);
    await write({ "k8s/a.yaml": text });
    const { texts, tooLarge } = await readFolder(".", "k8s");
    expect([texts["k8s/a.yaml"]?.length, tooLarge]).toEqual([text.length, {}]);
  });
});

describe("loop validate", () => {
  const wrong = "schemaVersion: 2.2.0\ncomponents:\n\t- name: x\n";
  const also = "schemaVersion: 2.2.0\ncomponents:\n  - name: x\n    container: {imgae: x}\n";

  test("prints file:line:col: code: message with the line and a caret; the answer is no", async () => {
    await write({ "devfile.yaml": also });
    const { out, status } = await loop("validate");
    expect(status).toBe(1);
    const head = /^devfile\.yaml:4:\d+: [a-z-]+: .+$/m;
    expect(out).toMatch(head);
    expect(out).toContain("4 |     container: {imgae: x}");
    expect(out).toMatch(/^ +\| +\^+$/m);
  });

  test("takes several files, by their names too, and says which one is missing", async () => {
    await write({ "a.yaml": wrong, ".devfile/api.devfile.yaml": also });
    const { out } = await loop("validate", "a.yaml", ".devfile/api.devfile.yaml");
    expect(out).toMatch(/^a\.yaml:3:/m);
    expect(out).toMatch(/^\.devfile\/api\.devfile\.yaml:4:/m);
    await expect(loop("validate", "gone.yaml")).rejects.toMatchObject({ code: "usage", status: 2 });
    expect((await loop("validate")).out).toMatch(/^\.devfile\/api/m);
    await rm(join(folder, ".devfile"), { recursive: true });
    await rm(join(folder, "a.yaml"));
    await expect(loop("validate")).rejects.toThrow(
      /^\. has no devfile, compose file, Procfile or Kubernetes object/,
    );
  });

  test("reads the parents that lie beside it, and says which lie elsewhere", async () => {
    const child = (parent: string): string => `schemaVersion: 2.2.2\nparent: {${parent}}\n`;
    await write({
      "sub/devfile.yaml": child("uri: base/parent.yaml"),
      "sub/base/parent.yaml": also,
      "far.yaml": child("id: nodejs"),
    });
    const { out, status } = await loop("validate", "sub/devfile.yaml");
    expect(status).toBe(1);
    expect(out).toMatch(/^sub\/base\/parent\.yaml:4:\d+: unknown-key: /m);
    const absolute = await validate(join(folder, "sub/devfile.yaml"));
    expect(absolute.diagnostics.map(({ line }) => line)).toContain(4);
    expect((await validate("far.yaml")).unread).toEqual(["registry:nodejs"]);
    const { texts } = await readFolder("sub");
    expect(Object.keys(texts).toSorted()).toEqual(["base/parent.yaml", "devfile.yaml"]);
  });

  const others = {
    "compose.yaml": "services:\n  db: {image: x, mem_limit: much}\n",
    "compose.override.yaml": "services:\n  db: {imagee: x}\n",
    Procfile: "web: node x\nno process\n",
    "app.json": '{"env": 3}\n',
    "k8s/db.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {prots: []}\n",
    "k8s/values.yaml": "replicas: x\n",
  };
  const places = (text: string): string[] =>
    text.split("\n").flatMap((line) => /^(\S+?:\d+):\d+: [a-z-]+: /.exec(line)?.[1] ?? []);

  test("reads all that a folder has: devfiles, compose files, Heroku's, Kubernetes objects", async () => {
    await write({ ...others, ".devfile.yaml": also });
    const { out, status } = await loop("validate");
    expect(status).toBe(1);
    const found = [
      ".devfile.yaml:4",
      "compose.yaml:2",
      "compose.override.yaml:2",
      "k8s/db.yaml:4",
      "Procfile:2",
      "app.json:1",
    ];
    expect([...new Set(places(out))]).toEqual(found);
    const given = await loop("validate", "--json", ".");
    expect((JSON.parse(given.out.slice(out.length)) as { files: string[] }).files).toEqual([
      ".devfile.yaml",
      "compose.yaml",
      "compose.override.yaml",
      "k8s/",
      "Procfile",
    ]);
  });

  test.each([
    ["compose.yaml", ["compose.yaml:2"]],
    ["Procfile", ["Procfile:2", "app.json:1"]],
    ["k8s/db.yaml", ["k8s/db.yaml:4"]],
    ["k8s", ["k8s/db.yaml:4"]],
    ["./k8s/", ["k8s/db.yaml:4"]],
  ])("reads %s by what it is, here and elsewhere", async (path, found) => {
    await write(others);
    const { out, status } = await loop("validate", path);
    expect(status).toBe(1);
    expect([...new Set(places(out))]).toEqual(found);
    process.chdir(before);
    const outside = await validate(join(folder, path));
    expect([...new Set(outside.diagnostics.map(({ file, line }) => `${file}:${line}`))]).toEqual(
      found.map((place) => join(folder, place)),
    );
  });

  test("without a mistake names what was read; a folder of nothing is no answer", async () => {
    await write({ "compose.yaml": "services: {db: {image: x}}\n", "empty/readme.md": "" });
    const { err, status } = await loop("validate");
    expect([err, status]).toEqual(["compose.yaml: no mistakes.\n", undefined]);
    await expect(loop("validate", "empty")).rejects.toMatchObject({ code: "usage", status: 2 });
  });

  const tooLarge = (begins: string, line: string): string =>
    begins + line.repeat(Math.ceil((4.5 * 1024 * 1024) / Buffer.byteLength(line)));

  test.each([
    ["compose.yaml", "services:\n  a: {image: x}\n"],
    ["k8s/a.yaml", "apiVersion: v1\nkind: Service\n"],
    ["Procfile", "web: x\n"],
    ["devfile.yaml", "schemaVersion: 2.2.0\n"],
  ])(
    "says of one that is too large that it is, in its folder and by its name: %s",
    async (path, begins) => {
      // Its characters are fewer than its bytes.
      await write({ [path]: tooLarge(begins, "# üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüü\n") });
      for (const given of [".", path]) {
        const { diagnostics } = await validate(given);
        expect(diagnostics.map(({ file, line, code }) => `${file}:${line} ${code}`)).toEqual([
          `${path}:1 file-too-large`,
        ]);
      }
    },
  );

  test.each([
    [300 * 1024, "k8s/a.yaml:3 required-value"],
    [4.5 * 1024 * 1024, "k8s/a.yaml:1 file-too-large"],
  ])("passes over no folder whose files are large: %d bytes", async (bytes, found) => {
    const object = "apiVersion: v1\nkind: Service\nmetadata: {nmae: db}\n";
    const text = object + "# x\n".repeat(bytes / 4);
    await write({ "compose.yaml": "services: {db: {image: x}}\n", "k8s/a.yaml": text });
    const { diagnostics } = await validate(".");
    expect(diagnostics.map(({ file, line, code }) => `${file}:${line} ${code}`)).toContain(found);
  });

  test("gives SARIF of compose files, too", async () => {
    await write(others);
    const { out } = await loop("validate", "--format", "sarif", "compose.yaml", "k8s");
    const { results } = (JSON.parse(out) as Sarif).runs[0];
    const uris = results.map(({ locations }) => locations[0].physicalLocation.artifactLocation.uri);
    expect(new Set(uris)).toEqual(new Set(["compose.yaml", "k8s/db.yaml"]));
  });

  test("never reads through a link: not a parent, not an env file, not a folder on the way", async () => {
    const outside = await mkdtemp(join(tmpdir(), "oneloop-outside-"));
    await writeFile(join(outside, "secret.yaml"), also);
    await writeFile(join(outside, "secret.env"), "SECRET=of somebody\n");
    await write({
      "devfile.yaml": "schemaVersion: 2.2.2\nparent: {uri: link.yaml}\n",
      "b.devfile.yaml": "schemaVersion: 2.2.2\nparent: {uri: folder/secret.yaml}\n",
      "compose.yaml": "services: {db: {image: x, env_file: [link.env, folder/secret.env]}}\n",
    });
    await symlink(join(outside, "secret.yaml"), join(folder, "link.yaml"));
    await symlink(join(outside, "secret.env"), join(folder, "link.env"));
    await symlink(outside, join(folder, "folder"));
    for (const name of ["devfile.yaml", "b.devfile.yaml"]) {
      const { diagnostics } = await validate(name);
      expect(diagnostics.map(({ file, code }) => `${file} ${code}`)).toEqual([
        `${name} unreadable-import`,
      ]);
    }
    const { texts } = await readFolder(".");
    expect(Object.keys(texts).toSorted()).toEqual(["compose.yaml", "devfile.yaml"]);
    const model = await readModel("compose.yaml").catch((error: unknown) => error);
    expect(JSON.stringify(model)).not.toContain("of somebody");
    await rm(outside, { recursive: true });
  });

  test("gives SARIF with a rule for each code and a result for each place", async () => {
    await write({ "devfile.yaml": also });
    const { out, status } = await loop("validate", "--format", "sarif");
    expect(status).toBe(1);
    const { version, runs } = JSON.parse(out) as Sarif;
    expect(version).toBe("2.1.0");
    const { results, tool } = runs[0];
    for (const { ruleId, ruleIndex, locations } of results) {
      expect(tool.driver.rules[ruleIndex]).toEqual({ id: ruleId });
      const { artifactLocation, region } = locations[0].physicalLocation;
      expect(tool.driver.name).toBe("Oneloop");
      expect(artifactLocation.uri).toBe("devfile.yaml");
      expect(region.startLine).toBe(4);
      expect(region.endColumn).toBeGreaterThan(region.startColumn);
    }
    expect(results.length).toBeGreaterThan(0);
  });

  test("names a file in SARIF as a URI", () => {
    const place = {
      line: 1,
      column: 1,
      length: 1,
      severity: "error",
      code: "x",
      message: "y",
    } as const;
    const uris = ["./a b.yaml", "/tmp/ü.yaml"].map((file) => {
      const { runs } = sarif([{ ...place, file }], "1") as Sarif;
      return runs[0].results[0]?.locations[0].physicalLocation.artifactLocation.uri;
    });
    expect(uris).toEqual(["a%20b.yaml", "file:///tmp/%C3%BC.yaml"]);
  });
});

test("a folder is its files and those of the folders below, and the texts that say what it is", async () => {
  await write({
    "package.json": "{}",
    "secret.txt": "not sent",
    "api/go.mod": "module a",
    "api/deep/Gemfile": "",
    "node_modules/x/package.json": "{}",
    ".devfile/api.devfile.yaml": "schemaVersion: 2.2.0",
    "devfile.yaml": "x",
  });
  const { name, paths, texts } = await readFolder(".");
  expect(folder.endsWith(name)).toBe(true);
  expect(paths.toSorted()).toEqual([
    ...[".devfile/api.devfile.yaml", "api/go.mod", "devfile.yaml", "package.json", "secret.txt"],
  ]);
  expect(Object.keys(texts).toSorted()).toEqual([
    ...[".devfile/api.devfile.yaml", "api/go.mod", "devfile.yaml", "package.json"],
  ]);
  await expect(readFolder(resolve(folder, "gone"))).rejects.toThrow(/cannot be read \(ENOENT\)/);
});

test("a preview shows every part with its places, what is left out, and no control characters", () => {
  const preview: Preview = {
    ...{ repository: "x", ref: null, commit: null, existing: "app-main-xkd", chosen: true },
    configuration: { kind: "found", path: "devfile.yaml", text: "", summary: ["Go (go.mod)"] },
    choices: [],
    offered: [],
    parts: [
      { kind: "task", name: "build", says: "once: make \u001b[31mall", where: ["a:1:1"] },
      { kind: "service", name: "dev", says: "image", where: ["a:1", "b:1", "c:1", "d:1", "e:1"] },
    ],
    leftOut: [{ what: "parent", why: "Not supported.", where: "devfile.yaml:3:1" }],
    plan: {} as Preview["plan"],
  };
  expect(previewLines(preview)).toEqual([
    "Configuration: no devfile; found Go (go.mod)",
    "You have a workspace of it already: app-main-xkd",
    "",
    "Services:",
    "  dev: image",
    "      because of a:1, b:1, c:1, 2 more places",
    "",
    "Tasks:",
    "  build: once: make all",
    "      because of a:1:1",
    "",
    "Not run:",
    "  devfile.yaml:3:1: parent: Not supported.",
  ]);
});
