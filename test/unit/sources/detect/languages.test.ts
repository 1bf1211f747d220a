import { describe, expect, test } from "vitest";
import { detected, installs, json, short } from "./detecting.ts";

const home = '"$HOME/.local/share';

describe("Node.js", () => {
  test("scripts are offered by their purpose; a lock file's packages are installed once", () => {
    expect(
      short({
        "package.json": json({
          scripts: {
            start: "node .",
            dev: "vite --port 4000",
            test: "vitest",
            build: "vite build",
          },
        }),
        "package-lock.json": "{}",
      }),
    ).toEqual({
      found: ["Node.js (package.json)"],
      once: ["workspace: npm ci (package-lock.json:1)"],
      offered: [
        "run! dev: npm run dev (package.json:4)",
        "test! test: npm run test (package.json:5)",
        "build! build: npm run build (package.json:6)",
      ],
      ports: ["4000 (package.json:4)"],
    });
  });

  test("without a lock file nothing is installed, and npm init's own test is none", () => {
    const test = 'echo "Error: no test specified" && exit 1';
    expect(short({ "package.json": json({ scripts: { test } }) })).toEqual({
      found: ["Node.js (package.json)"],
    });
  });

  test.each([
    ["vite", "5173"],
    ["next dev", "3000"],
    ["PORT=8123 node server.js", "8123"],
    ["webpack serve -p 9999", "9999"],
    ["ng serve", "4200"],
    ["node server.js", undefined],
    ["vitest --watch", undefined],
    ["node . --port 22022", undefined],
    ["node . --port 99999", undefined],
  ])("a server that is begun with `%s` has port %s", (dev, port) => {
    const { ports = [] } = short({ "package.json": json({ scripts: { dev } }) });
    expect(ports.map((line) => line.split(" ")[0])).toEqual(port === undefined ? [] : [port]);
  });

  test.each([
    ["pnpm-lock.yaml", "pnpm@latest", "pnpm install --frozen-lockfile"],
    ["yarn.lock", "yarn@1", "yarn install"],
    ["bun.lock", "bun@latest", "bun install --frozen-lockfile"],
  ])("%s is its manager's, which is installed from npm", (lock, program, install) => {
    const { once = [], offered = [] } = short({
      "package.json": json({ scripts: { start: "x" } }),
      [lock]: "",
    });
    expect(once[0]).toContain(`npm install --global --prefix ${home}/`);
    expect(once[0]).toContain(program);
    expect(once[0]).toContain(`(${lock}:1)`);
    expect(once[1]).toBe(`workspace: ${install} (${lock}:1)`);
    expect(offered[0]).toContain(`: ${program.split("@")[0]} run start`);
  });

  test("`packageManager` says which version of which manager", () => {
    const { once = [] } = short({
      "package.json": json({ packageManager: "yarn@4.5.0+sha256.abc" }),
      "yarn.lock": "",
    });
    expect(once[0]).toContain("@yarnpkg/cli-dist@4.5.0");
    expect(once[0]).toContain("(package.json:2)");
  });

  test.each([
    [{ ".nvmrc": "v20.11.1\n" }, "20.11.1", ".nvmrc:1"],
    [{ ".nvmrc": "\n# ours\nlts/iron" }, "20", ".nvmrc:3"],
    [{ ".node-version": "22" }, "22", ".node-version:1"],
    [{ ".tool-versions": "python 3.11.0\nnodejs 18.20.4" }, "18.20.4", ".tool-versions:2"],
    [{ engines: { node: "^20 || ^22" } }, "22", "package.json:3"],
    [{ engines: { node: "<21" } }, "20", "package.json:3"],
    [{ engines: { node: "<=20" } }, "20", "package.json:3"],
    [{ volta: { node: "16.20.2" } }, "16.20.2", "package.json:3"],
    [{ ".nvmrc": "22", "mise.toml": '[tools]\nnode = "20"' }, "20", "mise.toml:2"],
  ])("%o asks for Node.js %s", (given, version, place) => {
    const { engines, volta, ...files } = given as Record<string, unknown>;
    const { once = [] } = short({
      "package.json": json({ ...(engines ? { engines } : {}), ...(volta ? { volta } : {}) }),
      ...(files as Record<string, string>),
    });
    expect(once).toHaveLength(1);
    expect(once[0]).toContain(`"node-linux-$(node -p process.arch)@${version}"`);
    expect(once[0]).toContain(`(${place})`);
    // The image's npm does not run on older ones: one that does comes along.
    expect(once[0]?.includes(" npm@")).toBe(Number.parseInt(version, 10) < 22);
  });

  test.each([
    { engines: { node: ">=18" } },
    { engines: { node: "*" } },
    { engines: { node: ">=20.19 <25" } },
    { ".nvmrc": "24" },
    { ".nvmrc": "lts/*" },
    { ".nvmrc": "node" },
    { engines: { node: "22 - 26" } },
  ])("%o is content with the image's own", (given) => {
    const { engines, ...files } = given as Record<string, unknown>;
    const tree = { "package.json": json({ engines }), ...(files as Record<string, string>) };
    expect(short(tree)["once"]).toBeUndefined();
  });

  test("a package.json that is no JSON is named, and the rest goes on", () => {
    expect(short({ "package.json": "{ scripts", Makefile: "test:\n" })).toEqual({
      found: ["Node.js (package.json)", "Makefile (Makefile)"],
      offered: ["test! make-test: make test (Makefile:1)"],
      leftOut: ["package.json (package.json:1)"],
    });
  });
});

describe("Python", () => {
  test.each([
    ["requirements.txt", "pip install -r requirements.txt"],
    ["poetry.lock", "pip install poetry && poetry install"],
    ["uv.lock", "pip install uv && uv sync --frozen --active"],
    ["pdm.lock", "pip install pdm && pdm sync"],
    ["Pipfile.lock", "pip install pipenv && pipenv sync --dev"],
  ])("what %s says goes into a venv of the project", (file, install) => {
    const tree = { "pyproject.toml": "[tool.pytest.ini_options]\n", "main.py": "", [file]: "" };
    expect(short(tree)).toEqual({
      found: ["Python (pyproject.toml)"],
      once: [`workspace: python3 -m venv .venv && . .venv/bin/activate && ${install} (${file}:1)`],
      offered: [
        "run! run: . .venv/bin/activate && python3 main.py (main.py:1)",
        "test! test: . .venv/bin/activate && python3 -m pytest (pyproject.toml:1)",
      ],
    });
  });

  test("Django's own commands and port are known", () => {
    expect(short({ "setup.py": "", "manage.py": "" })).toEqual({
      found: ["Python (setup.py)"],
      offered: [
        "run! run: python3 manage.py runserver (manage.py:1)",
        "test! test: python3 manage.py test (manage.py:1)",
      ],
      ports: ["8000 (manage.py:1)"],
    });
  });
});

describe("languages that the image lacks come as Debian's packages, once in each container", () => {
  test("Go", () => {
    const tree = { "go.mod": "// x\nmodule a\n\ngo 1.19\n", "go.sum": "", "main.go": "" };
    expect(short(tree)).toEqual({
      found: ["Go (go.mod)"],
      once: [installs("golang", "go.mod:2"), "workspace: go mod download (go.sum:1)"],
      offered: [
        "run! run: go run . (main.go:1)",
        "test! test: go test ./... (go.mod:2)",
        "build! build: go build ./... (go.mod:2)",
      ],
    });
  });

  test("Rust", () => {
    const tree = { "Cargo.toml": '[package]\nrust-version = "1.60"\n', "Cargo.lock": "" };
    expect(short(tree)).toEqual({
      found: ["Rust (Cargo.toml)"],
      once: [installs("cargo", "Cargo.toml:1"), "workspace: cargo fetch --locked (Cargo.lock:1)"],
      offered: [
        "run! run: cargo run (Cargo.toml:1)",
        "test! test: cargo test (Cargo.toml:1)",
        "build! build: cargo build (Cargo.toml:1)",
      ],
    });
  });

  test("Ruby, with Rails, and its gems where every shell finds them", () => {
    const tree = { Gemfile: '# x\ngem "rails"\n', "Gemfile.lock": "", ".rspec": "" };
    expect(short(tree)).toEqual({
      found: ["Ruby (Gemfile)"],
      once: [
        installs("ruby-full bundler libyaml-dev", "Gemfile:1"),
        "workspace: bundle install (Gemfile.lock:1)",
      ],
      offered: [
        "run! run: bundle exec rails server (Gemfile:2)",
        "test! test: bundle exec rspec (.rspec:1)",
      ],
      ports: ["3000 (Gemfile:2)"],
    });
    expect(detected(tree).model.services[0]?.env).toMatchObject({
      BUNDLE_PATH: { value: { kind: "literal" }, where: { file: "Gemfile", line: 1 } },
    });
  });

  test("Java with Maven, or with the project's own wrapper of it", () => {
    const pom =
      "<a/>\n<artifactId>spring-boot-maven-plugin</artifactId>\n<java.version>17</java.version>";
    expect(short({ "pom.xml": pom })).toEqual({
      found: ["Java with Maven (pom.xml)"],
      once: [installs("default-jdk-headless maven", "pom.xml:1")],
      offered: [
        "run! run: mvn spring-boot:run (pom.xml:2)",
        "test! test: mvn test (pom.xml:1)",
        "build! build: mvn package (pom.xml:1)",
      ],
      ports: ["8080 (pom.xml:2)"],
    });
    const wrapped = short({ "pom.xml": "", mvnw: "" });
    expect(wrapped["once"]).toEqual([installs("default-jdk-headless", "pom.xml:1")]);
    expect(wrapped["offered"]).toContain("test! test: sh ./mvnw test (pom.xml:1)");
  });

  test("Java with Gradle", () => {
    const tree = { "build.gradle.kts": "plugins {\n  application\n}\n", gradlew: "" };
    expect(short(tree)).toEqual({
      found: ["Java with Gradle (build.gradle.kts)"],
      once: [installs("default-jdk-headless", "build.gradle.kts:1")],
      offered: [
        "run! run: sh ./gradlew run (build.gradle.kts:2)",
        "test! test: sh ./gradlew test (build.gradle.kts:1)",
        "build! build: sh ./gradlew build (build.gradle.kts:1)",
      ],
    });
  });

  test("PHP", () => {
    const tree = {
      "composer.json": '{"require": {"php": "^8.4"}}',
      "composer.lock": "",
      "public/index.php": "",
      "phpunit.xml": "",
    };
    const { once = [], ...rest } = short(tree);
    expect(once[0]).toMatch(/ php-cli .* composer unzip \(composer.json:1\)$/);
    expect(once[1]).toBe("workspace: composer install --no-interaction (composer.lock:1)");
    expect(rest).toEqual({
      found: ["PHP (composer.json)"],
      offered: [
        "run! run: php -S localhost:8000 -t public (public/index.php:1)",
        "test! test: vendor/bin/phpunit (phpunit.xml:1)",
      ],
      ports: ["8000 (public/index.php:1)"],
      leftOut: ["PHP ^8.4 (composer.json:1)"],
    });
    expect(detected(tree).model.leftOut[0]?.why).toBe(
      "Debian's PHP 8.2 is installed: for another one, write a devfile with an image that has it.",
    );
  });

  test("Elixir", () => {
    const tree = { "mix.exs": 'elixir: "~> 1.14"\n{:phoenix, "~> 1.7"}', "mix.lock": "" };
    expect(short(tree)).toEqual({
      found: ["Elixir (mix.exs)"],
      once: [
        installs("elixir erlang-dev erlang-xmerl", "mix.exs:1"),
        "workspace: mix local.hex --force && mix deps.get (mix.lock:1)",
      ],
      offered: [
        "run! run: mix phx.server (mix.exs:2)",
        "test! test: mix test (mix.exs:1)",
        "build! build: mix compile (mix.exs:1)",
      ],
      ports: ["4000 (mix.exs:2)"],
    });
  });

  test("Deno, from npm", () => {
    const tree = {
      "deno.jsonc": '// x\n{"tasks": {\n "dev": "deno run main.ts",\n}}',
      "deno.lock": "",
    };
    const { once = [], ...rest } = short(tree);
    expect(once[0]).toContain(`npm install --global --prefix ${home}/deno" deno`);
    expect(once[1]).toBe("workspace: deno install (deno.lock:1)");
    expect(rest).toEqual({
      found: ["Deno (deno.jsonc)"],
      offered: ["run! run: deno task dev (deno.jsonc:3)", "test! test: deno test (deno.jsonc:1)"],
    });
  });
});

describe("other files", () => {
  test("a Makefile's targets come after the language's own commands", () => {
    const tree = { "go.mod": "module a", Makefile: "X := 1\nrun: x\ntest::\ncheck :\nbuild:=1\n" };
    expect(short(tree)["offered"]).toEqual([
      "test! test: go test ./... (go.mod:1)",
      "build! build: go build ./... (go.mod:1)",
      "run! make-run: make run (Makefile:2)",
      "test make-test: make test (Makefile:3)",
    ]);
  });

  test("a Procfile's web line is offered with the port that it asks for; others are named", () => {
    const tree = {
      Procfile: "worker: node w.js\nweb: gunicorn -b :$PORT app\n",
      "requirements.txt": "",
    };
    expect(short(tree)).toMatchObject({
      offered: ["run! web: . .venv/bin/activate && gunicorn -b :$PORT app (Procfile:2)"],
      ports: ["5000 (Procfile:2)"],
      leftOut: ["process worker (Procfile:1)"],
    });
    const [command] = detected(tree).model.commands?.slice(-1) ?? [];
    expect(command?.runs).toMatchObject({ env: [{ name: "PORT", value: { value: "5000" } }] });
  });

  test("a Procfile's line that a devfile cannot hold is named", () => {
    expect(short({ Procfile: "web: echo {{x}}\n" })).toEqual({
      found: ["Procfile (Procfile)"],
      leftOut: ["process web (Procfile:1)"],
    });
  });

  test("a Dockerfile's ports are read; its image and a compose file's services are named", () => {
    const tree = {
      Dockerfile: "# x\nFROM node:20\nEXPOSE 8080 9090/tcp 53/udp $P\n",
      "compose.yaml": "name: a\nservices:\n",
    };
    expect(short(tree)).toEqual({
      found: ["Dockerfile (Dockerfile)", "Compose file (compose.yaml)"],
      ports: ["8080 (Dockerfile:3)", "9090 (Dockerfile:3)"],
      leftOut: ["Dockerfile (Dockerfile:2)", "compose.yaml (compose.yaml:2)"],
    });
  });
});
