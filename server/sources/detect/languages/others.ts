import type { Detector, OfferedCommand, Reason } from "../finding.ts";
import { tomlEntry, tomlText } from "../toml.ts";
import type { Project } from "../tree.ts";
import { tooOld } from "./too-old.ts";

/** Gems of the project: in the home volume, and found by every shell. */
const bundlePath = "/home/dev/.local/share/bundle";

/** The install of what a lock file names; nothing without it. */
function locked(project: Project, lock: string, line: string) {
  const file = project.first([lock]);
  if (file === null) return [];
  const reason = { at: file.place(), why: "it says which packages the project needs" };
  return [{ id: "install-dependencies", line, once: "workspace" as const, reason }];
}

function offer(group: OfferedCommand["group"], line: string, reason: Reason): OfferedCommand {
  return { id: group, group, line, reason };
}

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

export const ruby: Detector = {
  name: "Ruby",
  language: true,
  marks: ["Gemfile"],
  reads: [".ruby-version", ".tool-versions"],
  detect(project) {
    const file = project.first(["Gemfile"]);
    if (file === null) return {};
    const reason = { at: file.place(), why: "a project of Ruby" };
    const rails = file.find(/^\s*gem ["']rails["']/m);
    const rack = project.first(["config.ru"]);
    const rspec = project.first([".rspec"]);
    const rake = project.first(["Rakefile"]);
    const wanted =
      file.find(/^ruby ["']~?>?=?\s*([\d.]+)/m) ??
      project.file(".ruby-version")?.find(/^(?:ruby-)?([\d.]+)/m) ??
      project.file(".tool-versions")?.find(/^ruby[ \t]+([\d.]+)/m) ??
      null;
    const railsReason = rails === null ? null : { at: rails.at, why: "Ruby on Rails" };
    return {
      packages: ["ruby-full", "bundler", "libyaml-dev"].map((name) => ({ name, reason })),
      env: [{ name: "BUNDLE_PATH", value: bundlePath, reason }],
      setUp: locked(project, "Gemfile.lock", "bundle install"),
      commands: [
        ...(railsReason !== null
          ? [offer("run", "bundle exec rails server", railsReason)]
          : rack === null
            ? []
            : [offer("run", "bundle exec rackup", { at: rack.place(), why: "it is Rack's" })]),
        ...(rspec !== null
          ? [offer("test", "bundle exec rspec", { at: rspec.place(), why: "RSpec's settings" })]
          : rake === null
            ? []
            : [offer("test", "bundle exec rake test", { at: rake.place(), why: "it is Rake's" })]),
      ],
      ports:
        railsReason !== null
          ? [{ port: 3000, reason: railsReason }]
          : rack === null
            ? []
            : [{ port: 9292, reason: { at: rack.place(), why: "where rackup listens" } }],
      leftOut: tooOld("ruby", { name: "Ruby", found: wanted }),
    };
  },
};

export const maven: Detector = {
  name: "Java with Maven",
  language: true,
  marks: ["pom.xml"],
  reads: [],
  detect(project) {
    const file = project.first(["pom.xml"]);
    if (file === null) return {};
    const reason = { at: file.place(), why: "a project of Maven" };
    const wrapper = project.first(["mvnw"]);
    const mvn = wrapper === null ? "mvn" : "sh ./mvnw";
    const spring = file.find(/<artifactId>spring-boot-maven-plugin<\/artifactId>/);
    const springReason = spring === null ? null : { at: spring.at, why: "Spring Boot" };
    return {
      packages: [
        { name: "default-jdk-headless", reason },
        ...(wrapper === null ? [{ name: "maven", reason }] : []),
      ],
      commands: [
        ...(springReason === null ? [] : [offer("run", `${mvn} spring-boot:run`, springReason)]),
        offer("test", `${mvn} test`, reason),
        offer("build", `${mvn} package`, reason),
      ],
      ports: springReason === null ? [] : [{ port: 8080, reason: springReason }],
      leftOut: tooOld("java", {
        name: "Java",
        found: file.find(/<(?:maven\.compiler\.(?:source|release)|java\.version)>\s*(?:1\.)?(\d+)/),
      }),
    };
  },
};

export const gradle: Detector = {
  name: "Java with Gradle",
  language: true,
  marks: ["build.gradle", "build.gradle.kts"],
  reads: [],
  detect(project) {
    const file = project.first(["build.gradle", "build.gradle.kts"]);
    if (file === null) return {};
    const reason = { at: file.place(), why: "a project of Gradle" };
    const wrapper = project.first(["gradlew"]);
    const program = wrapper === null ? "gradle" : "sh ./gradlew";
    const spring = file.find(/org\.springframework\.boot/);
    const application = file.find(/\bapplication\b/);
    const springReason = spring === null ? null : { at: spring.at, why: "Spring Boot" };
    return {
      packages: [
        { name: "default-jdk-headless", reason },
        ...(wrapper === null ? [{ name: "gradle", reason }] : []),
      ],
      commands: [
        ...(springReason !== null
          ? [offer("run", `${program} bootRun`, springReason)]
          : application === null
            ? []
            : [offer("run", `${program} run`, { at: application.at, why: "an application" })]),
        offer("test", `${program} test`, reason),
        offer("build", `${program} build`, reason),
      ],
      ports: springReason === null ? [] : [{ port: 8080, reason: springReason }],
      leftOut: tooOld("java", {
        name: "Java",
        found: file.find(/(?:JavaLanguageVersion\.of\(|VERSION_)(\d+)/),
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
