import { describe, expect, test } from "vitest";
import { inRange, parseVersion, versionIn } from "../../../../server/sources/detect/versions.ts";
import { detected, installs, json, short, type TreeOf } from "./detecting.ts";

/** What mise is asked for, and because of which line. */
function byMise(tree: TreeOf): string[] {
  const { once = [] } = short(tree);
  return once.flatMap((line) => {
    const [, spec, place] = /\bmise install --yes (\S+) .*(\(\S+\))$/.exec(line) ?? [];
    return spec === undefined ? [] : [`${spec} ${place}`];
  });
}

describe("a version that Debian does not have comes by mise", () => {
  const [pyproject, cargo, toolchain] = ["pyproject.toml", "Cargo.toml", "rust-toolchain.toml"];
  test.each<[TreeOf, string]>([
    [{ "go.mod": "module a\n\ngo 1.22.1\n" }, "go@1.22.1 (go.mod:3)"],
    [{ "go.mod": "module a\ngo 1.22\ntoolchain go1.22.5\n" }, "go@1.22.5 (go.mod:3)"],
    [{ "go.mod": "module a\ngo 1.24rc1\n" }, "go@1.24rc1 (go.mod:2)"],
    [{ "go.mod": "", ".go-version": "go1.18\n" }, "go@1.18 (.go-version:1)"],
    [{ "go.mod": "", ".tool-versions": "golang 1.23.4 1.22.0" }, "go@1.23.4 (.tool-versions:1)"],
    [{ [pyproject]: '[project]\nrequires-python = ">=3.12"' }, `python@3.12 (${pyproject}:2)`],
    [{ [pyproject]: '[project]\nrequires-python = "<3.11"' }, `python@3.10 (${pyproject}:2)`],
    [{ [pyproject]: '[project]\nrequires-python = "==3.10.4"' }, `python@3.10.4 (${pyproject}:2)`],
    [{ [pyproject]: '[project]\nrequires-python = "~=3.12.2"' }, `python@3.12 (${pyproject}:2)`],
    [
      { [pyproject]: '[tool.poetry.dependencies]\npython = "^3.12"' },
      `python@3.12 (${pyproject}:2)`,
    ],
    [{ Pipfile: '[requires]\npython_version = "3.13"' }, "python@3.13 (Pipfile:2)"],
    [{ [pyproject]: "", ".python-version": "# ours\n3.12.1" }, "python@3.12.1 (.python-version:2)"],
    [{ [pyproject]: "", ".python-version": "3.11.9" }, "python@3.11.9 (.python-version:1)"],
    [
      { [pyproject]: "", ".tool-versions": "ruby 3\npython 3.10.2 # x" },
      "python@3.10.2 (.tool-versions:2)",
    ],
    [{ Gemfile: '# x\nruby "3.3.4"' }, "ruby@3.3.4 (Gemfile:2)"],
    [{ Gemfile: "ruby '~> 3.2.0'" }, "ruby@3.2 (Gemfile:1)"],
    [{ Gemfile: 'ruby ">= 3.3", "< 3.5"' }, "ruby@3.3 (Gemfile:1)"],
    [{ Gemfile: "", ".ruby-version": "ruby-3.4.1\n" }, "ruby@3.4.1 (.ruby-version:1)"],
    // Debian's patch changes with its security updates, and Bundler wants the very one.
    [{ Gemfile: "", ".ruby-version": "3.1.2" }, "ruby@3.1.2 (.ruby-version:1)"],
    [{ Gemfile: 'ruby "3.1.4"' }, "ruby@3.1.4 (Gemfile:1)"],
    [{ Gemfile: 'ruby "= 3.1.4"' }, "ruby@3.1.4 (Gemfile:1)"],
    [{ "pom.xml": "<java.version>21</java.version>" }, "java@temurin-21 (pom.xml:1)"],
    [{ "build.gradle": "VERSION_21" }, "java@temurin-21 (build.gradle:1)"],
    [{ "pom.xml": "", ".java-version": "11.0.2" }, "java@temurin-11.0.2 (.java-version:1)"],
    [{ "pom.xml": "", ".java-version": "1.8" }, "java@temurin-8 (.java-version:1)"],
    [
      { "pom.xml": "", ".java-version": "openjdk64-21.0.2" },
      "java@openjdk-21.0.2 (.java-version:1)",
    ],
    [{ "pom.xml": "", ".sdkmanrc": "# x\njava=21.0.4-tem" }, "java@temurin-21.0.4 (.sdkmanrc:2)"],
    [{ "pom.xml": "", ".sdkmanrc": "java=11.0.12-zulu" }, "java@zulu-11 (.sdkmanrc:1)"],
    [
      { "pom.xml": "", ".tool-versions": "java temurin-21.0.4+7.0.LTS" },
      "java@temurin-21.0.4+7.0.LTS (.tool-versions:1)",
    ],
    [{ "pom.xml": "", "mise.toml": '[tools]\njava = "21"' }, "java@21 (mise.toml:2)"],
    [
      { "pom.xml": "", ".tool-versions": "java graalvm-community-17.0.9" },
      "java@graalvm-community-17.0.9 (.tool-versions:1)",
    ],
    [{ Gemfile: "", "mise.toml": '[tools]\nruby = ["3.3", "3.2"]' }, "ruby@3.3 (mise.toml:2)"],
    [
      { Gemfile: "", ".mise.toml": '[tools]\nruby = { os = "linux", version = "3.3" }' },
      "ruby@3.3 (.mise.toml:2)",
    ],
    [{ Gemfile: "", "mise.toml": '[tools.ruby]\nversion = "latest"' }, "ruby@latest (mise.toml:2)"],
    [{ [cargo]: '[package]\nrust-version = "1.80"' }, `rust@stable (${cargo}:2)`],
    [{ [cargo]: '[workspace.package]\nrust-version = "1.80"' }, `rust@stable (${cargo}:2)`],
    [{ [cargo]: '[package]\nedition = "2024"' }, `rust@stable (${cargo}:2)`],
    [{ [cargo]: "", "Cargo.lock": "# x\nversion = 4\n" }, "rust@stable (Cargo.lock:2)"],
    [{ [cargo]: "", "rust-toolchain": "1.80.0\n" }, "rust@1.80.0 (rust-toolchain:1)"],
    [
      { [cargo]: "", "rust-toolchain": '[toolchain]\nchannel = "beta"' },
      "rust@beta (rust-toolchain:2)",
    ],
    [
      { [cargo]: "", [toolchain]: '[toolchain]\nchannel = "nightly-2024-05-01" # x' },
      `rust@nightly-2024-05-01 (${toolchain}:2)`,
    ],
    // rustup obeys its own file, whatever else is installed.
    [
      { [cargo]: "", ".tool-versions": "rust 1.79.0", [toolchain]: '[toolchain]\nchannel="1.80"' },
      `rust@1.80 (${toolchain}:2)`,
    ],
    [{ [cargo]: "", ".tool-versions": "rust nightly" }, "rust@nightly (.tool-versions:1)"],
    [{ [cargo]: "", "mise.toml": '[tools]\nrust = "1.80"' }, "rust@1.80 (mise.toml:2)"],
  ])("%j: %s", (tree, wanted) => {
    expect(byMise(tree)).toEqual([wanted]);
    expect(short(tree)["leftOut"]).toBeUndefined();
    // What it replaces is not installed as well.
    expect(short(tree)["once"]?.join()).not.toMatch(
      / (?:golang|ruby-full|default-jdk-headless|recommends cargo) /,
    );
  });

  test.each<TreeOf>([
    { "go.mod": "module a\ngo 1.19\n" },
    { "go.mod": "module a\ngo 1.18\ntoolchain go1.22.5\n" },
    { "go.mod": "module a\ngo 1.22\n", ".go-version": "1.19" },
    { [pyproject]: '[project]\nrequires-python = ">=3.9,<4"' },
    { [pyproject]: '[project]\nrequires-python = "~=3.9"' },
    { [pyproject]: '[project]\nrequires-python = "!=3.12.0"' },
    { [pyproject]: "", ".python-version": "3.11\n" },
    { [pyproject]: "", ".python-version": "3.11.2\n" },
    { [pyproject]: "", ".python-version": "system\n" },
    { Gemfile: 'ruby "~> 3.1"' },
    { Gemfile: 'ruby file: ".ruby-version"' },
    { Gemfile: 'ruby "~> 3.1.2"' },
    { Gemfile: "", ".ruby-version": "3.1" },
    { "pom.xml": "<maven.compiler.release>11</maven.compiler.release>" },
    { "pom.xml": "", ".java-version": "17" },
    { "pom.xml": "", ".sdkmanrc": "java=17.0.9-tem" },
    { "pom.xml": "<java.version>21</java.version>", ".java-version": "17.0" },
    { [cargo]: '[package]\nedition = "2021"\nrust-version = "1.63"', "Cargo.lock": "version = 3" },
    { [cargo]: '[package]\nrust-version = "1.80"', [toolchain]: '[toolchain]\nchannel = "1.63"' },
    { [cargo]: "[package]\nrust-version.workspace = true\n", [toolchain]: '[toolchain]\npath="x"' },
    { "mix.exs": 'elixir: ">= 1.12.0 and < 1.15.0"' },
    { "mix.exs": 'elixir: "~> 1.17 or ~> 1.14"' },
    { "mix.exs": 'elixir: "~> 1.17"', ".tool-versions": "elixir 1.14\nerlang 25.2" },
    { "composer.json": '{"require": {"php": "^7.4|^8.0"}}' },
    { "composer.json": '{"require": {"php": "~8.1"}}' },
    { "composer.json": '{"require": {"php": ">=8.1 <8.4"}}' },
    { "composer.json": '{"require": {"php": "^8.4"}}', ".php-version": "8.2" },
  ])("%j is content with Debian's", (tree) => {
    expect(short(tree)["once"]?.join() ?? "").not.toContain("mise");
    expect(short(tree)["leftOut"]).toBeUndefined();
  });

  test.each<[TreeOf, string]>([
    [{ Gemfile: "", ".ruby-version": "jruby-9.4.8.0" }, "Ruby jruby-9.4.8.0 (.ruby-version:1)"],
    [{ [pyproject]: "", ".python-version": "pypy3.10" }, "Python pypy3.10 (.python-version:1)"],
    [{ [pyproject]: "", ".python-version": "3.12$(x)" }, "Python 3.12$(x) (.python-version:1)"],
    [{ [pyproject]: "[project]\nrequires-python = '<3'" }, `Python <3 (${pyproject}:2)`],
    [{ "go.mod": "", ".tool-versions": "go ref:main" }, "Go ref:main (.tool-versions:1)"],
    [{ "pom.xml": "", ".java-version": "21;x" }, "Java 21;x (.java-version:1)"],
    [
      { [cargo]: "", [toolchain]: '[toolchain]\nchannel = "my own"' },
      `Rust my own (${toolchain}:2)`,
    ],
    [{ "mix.exs": "", ".tool-versions": "elixir main" }, "Elixir main (.tool-versions:1)"],
    [{ "mix.exs": "", ".tool-versions": "erlang 27.1" }, "Erlang 27.1 (.tool-versions:1)"],
    [{ "composer.json": '{"require": {"php": ">=8.3"}}' }, "PHP >=8.3 (composer.json:1)"],
    [{ "composer.json": '{"require": {"php": "~8.1.0"}}' }, "PHP ~8.1.0 (composer.json:1)"],
    [{ "composer.json": '{"require": {"php": "8.1.*"}}' }, "PHP 8.1.* (composer.json:1)"],
    [{ "composer.json": "{}", ".tool-versions": "php 8.3.1" }, "PHP 8.3.1 (.tool-versions:1)"],
  ])("%j is named, and Debian's is there", (tree, leftOut) => {
    expect(short(tree)["leftOut"]).toEqual([leftOut]);
    expect(short(tree)["once"]?.join() ?? "").not.toContain("mise");
  });

  test("first mise, of one version, then the language, then the project's own packages", () => {
    const { once = [] } = short({ "go.mod": "module a\ngo 1.22.5\n", "go.sum": "" });
    const home = '"$HOME/.local/share/mise"';
    expect(once).toEqual([
      `container: npm install --global --prefix ${home} "@jdxcode/mise-linux-$(node -p process.arch)@2026.9.15" && sudo ln -sf ${home}/bin/mise /usr/local/bin/ (go.mod:2)`,
      `container: mise where go@1.22.5 > /dev/null 2>&1 || timeout --foreground 20m mise install --yes go@1.22.5 || { echo "Go 1.22.5, which go.mod:2 asks for, could not be installed: the lines above say why. A stop and a start of the workspace try again. Without that line a new workspace has Debian's Go 1.19.8; for another version, name an image in a devfile." >&2; exit 1; }; folder="$(mise where go@1.22.5)" && for program in "$folder"/bin/*; do [ ! -x "$program" ] || printf '#!/bin/sh\\nexec "%s" "$@"\\n' "$program" | sudo install /dev/stdin "/usr/local/bin/\${program##*/}" || exit 1; done (go.mod:2)`,
      "workspace: go mod download (go.sum:1)",
    ]);
  });

  test("what a Ruby is compiled with are Debian's packages", () => {
    const { once = [] } = short({ Gemfile: 'ruby "3.3.4"', "Gemfile.lock": "" });
    expect(once[0]).toBe(
      installs(
        "autoconf libffi-dev libgmp-dev libreadline-dev libssl-dev libyaml-dev zlib1g-dev",
        "Gemfile:1",
      ),
    );
    expect(once.at(-1)).toBe("workspace: bundle install (Gemfile.lock:1)");
  });

  test("Java's home is said to all who ask, and is where mise put it", () => {
    const tree = { "pom.xml": "<java.version>21</java.version>" };
    expect(detected(tree).model.services[0]?.env).toMatchObject({
      JAVA_HOME: { value: { value: "/home/dev/.local/share/java" }, where: { file: "pom.xml" } },
    });
    expect(short(tree)["once"]?.at(-1)).toContain(
      'folder="$(mise where java@temurin-21)" && ln -sfn "$folder" /home/dev/.local/share/java',
    );
    expect(detected({ "pom.xml": "" }).model.services[0]?.env).toEqual({});
  });

  test("Rust's toolchain becomes rustup's default, and its file says what belongs to it", () => {
    const channel = '[toolchain]\nchannel = "1.80.0"\n';
    const tree = { [cargo]: "", "Cargo.lock": "", [toolchain]: channel };
    const once = short(tree)["once"] ?? [];
    expect(once[1]).toContain(
      'folder="$(mise where rust@1.80.0)" && "$folder/rustup" default "${folder##*/}" && for program in "$folder"/*; do ',
    );
    expect(once.slice(2)).toEqual(["workspace: cargo fetch --locked (Cargo.lock:1)"]);
    const parts = `${channel}components = [\n  "clippy",\n]\ntargets = ["wasm32-wasip1"]\n`;
    expect(short({ ...tree, [toolchain]: parts })["once"]?.slice(2)).toEqual([
      `workspace: rustup toolchain install (${toolchain}:3)`,
      "workspace: cargo fetch --locked (Cargo.lock:1)",
    ]);
  });

  describe("Elixir comes with an Erlang that it runs on", () => {
    test.each<[TreeOf, string, string]>([
      [{ "mix.exs": '\nelixir: "~> 1.17"' }, "erlang@27 (mix.exs:2)", "elixir@1.17 (mix.exs:2)"],
      [{ "mix.exs": 'elixir: "~> 1.15.4"' }, "erlang@26 (mix.exs:1)", "elixir@1.15 (mix.exs:1)"],
      [{ "mix.exs": 'elixir: ">= 1.20.0"' }, "erlang@29 (mix.exs:1)", "elixir@1.20 (mix.exs:1)"],
      [{ "mix.exs": 'elixir: "~> 1.22"' }, "erlang@latest (mix.exs:1)", "elixir@1.22 (mix.exs:1)"],
      [
        { "mix.exs": "", ".tool-versions": "elixir 1.18.3" },
        "erlang@27 (.tool-versions:1)",
        "elixir@1.18.3 (.tool-versions:1)",
      ],
      [
        { "mix.exs": "", ".tool-versions": "elixir 1.17.3-otp-26" },
        "erlang@26 (.tool-versions:1)",
        "elixir@1.17.3-otp-26 (.tool-versions:1)",
      ],
      [
        { "mix.exs": "", "mise.toml": '[tools]\nerlang = "27.1.2"\nelixir = "1.17.3-otp-27"' },
        "erlang@27.1.2 (mise.toml:2)",
        "elixir@1.17.3-otp-27 (mise.toml:3)",
      ],
    ])("%j: %s, %s", (tree, erlang, other) => {
      expect(byMise(tree)).toEqual([erlang, other]);
      expect(short(tree)["leftOut"]).toBeUndefined();
    });

    test("which is compiled already, and needs libraries of Debian", () => {
      const tree = { "mix.exs": 'elixir: "~> 1.17"', "mix.lock": "" };
      const once = short(tree)["once"] ?? [];
      expect(once[0]).toBe(installs("libncurses6 libssl3 libstdc++6", "mix.exs:1"));
      expect(once.at(-1)).toBe("workspace: mix local.hex --force && mix deps.get (mix.lock:1)");
      expect(detected(tree).text).toMatch(
        /MISE_ERLANG_COMPILE\n +value: "0"\n +- name: MISE_ERLANG_PRECOMPILED_OS\n +value: ubuntu-22.04\n/,
      );
    });
  });

  test("the root's files count for the folders below it that have none", () => {
    const tree = {
      ".tool-versions": "golang 1.22.5\nnodejs 20.11.1",
      "api/go.mod": "module a",
      "web/package.json": json({}),
    };
    expect(byMise(tree)).toEqual(["go@1.22.5 (.tool-versions:1)"]);
    expect(short(tree)["once"]?.join()).toContain("@20.11.1");
    expect(byMise({ ...tree, "api/.go-version": "1.21" })).toEqual(["go@1.21 (api/.go-version:1)"]);
  });

  test("of two versions of one language the second is named", () => {
    const go = (version: string) => `module a\ngo ${version}\n`;
    const tree = { "a/go.mod": go("1.22.5"), "b/go.mod": go("1.23.1"), "c/go.mod": go("1.22.5") };
    expect(byMise(tree)).toEqual(["go@1.22.5 (a/go.mod:2)"]);
    expect(short(tree)["leftOut"]).toEqual(["Go 1.23.1 (b/go.mod:2)"]);
  });
});

test.each([
  ["^3.12", "3.12"],
  [">3.11", "3.12"],
  [">=3.8,<3.11", "3.8"],
  ["<=3.10", "3.10"],
  ["==3.10.*", "3.10"],
  [">= 4", "4"],
  ["3.9 || 3.12.1", "3.9"],
  ["~> 3.2.1", "3.2"],
  ["<3", null],
  ["*", null],
])("%s allows %s", (range, version) => {
  expect(versionIn(range)).toBe(version);
  if (version !== null) expect(inRange(parseVersion(version) ?? [], range)).toBe(true);
});
