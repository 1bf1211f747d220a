import type { Detector } from "../finding.ts";
import { tomlEntry, tomlText } from "../toml.ts";
import { locked, offer } from "./offering.ts";
import { tooOld } from "./too-old.ts";

export const rust: Detector = {
  name: "Rust",
  language: true,
  marks: ["Cargo.toml"],
  reads: [".tool-versions"],
  detect(project) {
    const file = project.first(["Cargo.toml"]);
    if (file === null) return {};
    const reason = { at: file.place(), why: "a package of Rust" };
    const wanted = tomlEntry(file, "package", "rust-version");
    const match = wanted === null ? null : /^(.*)$/.exec(tomlText(wanted));
    return {
      packages: [{ name: "cargo", reason }],
      setUp: locked(project, "Cargo.lock", "cargo fetch --locked"),
      commands: [
        offer("run", "cargo run", reason),
        offer("test", "cargo test", reason),
        offer("build", "cargo build", reason),
      ],
      leftOut: tooOld("rust", {
        name: "Rust",
        found: wanted === null || match === null ? null : { match, at: wanted.at },
      }),
    };
  },
};

export const php: Detector = {
  name: "PHP",
  language: true,
  marks: ["composer.json"],
  reads: [".tool-versions"],
  detect(project) {
    const file = project.first(["composer.json"]);
    if (file === null) return {};
    const reason = { at: file.place(), why: "a project of Composer" };
    const artisan = project.first(["artisan"]);
    const index = project.first(["public/index.php", "index.php"]);
    const tests = project.first(["phpunit.xml", "phpunit.xml.dist"]);
    const run =
      artisan !== null
        ? { line: "php artisan serve", reason: { at: artisan.place(), why: "it is Laravel's" } }
        : index === null
          ? null
          : {
              line: `php -S localhost:8000${index.path.endsWith("public/index.php") ? " -t public" : ""}`,
              reason: { at: index.place(), why: "its first page" },
            };
    const packages = ["php-cli", "php-curl", "php-mbstring", "php-sqlite3", "php-xml", "php-zip"];
    return {
      packages: [...packages, "composer", "unzip"].map((name) => ({ name, reason })),
      setUp: locked(project, "composer.lock", "composer install --no-interaction"),
      commands: [
        ...(run === null ? [] : [offer("run", run.line, run.reason)]),
        ...(tests === null
          ? []
          : [
              offer("test", "vendor/bin/phpunit", { at: tests.place(), why: "PHPUnit's settings" }),
            ]),
      ],
      ports: run === null ? [] : [{ port: 8000, reason: run.reason }],
      leftOut: tooOld("php", {
        name: "PHP",
        found: file.find(/"php"\s*:\s*"[\^~>= ]*(\d+(?:\.\d+)?)/),
      }),
    };
  },
};

export const elixir: Detector = {
  name: "Elixir",
  language: true,
  marks: ["mix.exs"],
  reads: [".tool-versions"],
  detect(project) {
    const file = project.first(["mix.exs"]);
    if (file === null) return {};
    const reason = { at: file.place(), why: "a project of Mix" };
    const phoenix = file.find(/\{:phoenix,/);
    const phoenixReason = phoenix === null ? null : { at: phoenix.at, why: "Phoenix" };
    return {
      packages: ["elixir", "erlang-dev", "erlang-xmerl"].map((name) => ({ name, reason })),
      setUp: locked(project, "mix.lock", "mix local.hex --force && mix deps.get"),
      commands: [
        phoenixReason === null
          ? offer("run", "mix run --no-halt", reason)
          : offer("run", "mix phx.server", phoenixReason),
        offer("test", "mix test", reason),
        offer("build", "mix compile", reason),
      ],
      ports: phoenixReason === null ? [] : [{ port: 4000, reason: phoenixReason }],
      leftOut: tooOld("elixir", {
        name: "Elixir",
        found: file.find(/elixir:\s*"[~>= ]*(\d+\.\d+)/),
      }),
    };
  },
};
