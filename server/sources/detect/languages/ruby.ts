import type { Detector } from "../finding.ts";
import type { Project, RepositoryFile } from "../tree.ts";
import { imageVersions } from "../versions.ts";
import { askedVersion, managerFiles, pinned, ranged, type Asked, type Wanted } from "./asked.ts";
import { miseInstall } from "./mise.ts";
import { locked, offer } from "./offering.ts";

/** Gems of the project: in the home volume, and found by every shell. */
const bundlePath = "/home/dev/.local/share/bundle";

/** What Ruby is compiled with, where mise finds no compiled one (ruby-build's wiki, Debian). */
const buildPackages = [
  ...["autoconf", "libffi-dev", "libgmp-dev", "libreadline-dev", "libssl-dev", "libyaml-dev"],
  "zlib1g-dev",
];

export const ruby: Detector = {
  name: "Ruby",
  language: true,
  marks: ["Gemfile"],
  reads: [...managerFiles, ".ruby-version"],
  detect(project) {
    const file = project.first(["Gemfile"]);
    if (file === null) return {};
    const reason = { at: file.place(), why: "a project of Ruby" };
    const rails = file.find(/^\s*gem ["']rails["']/m);
    const rack = project.first(["config.ru"]);
    const rspec = project.first([".rspec"]);
    const rake = project.first(["Rakefile"]);
    const other = miseInstall(
      { tool: "ruby", name: "Ruby", debian: imageVersions.ruby },
      wantedRuby(project, file),
    );
    const [first] = other.setUp;
    const railsReason = rails === null ? null : { at: rails.at, why: "Ruby on Rails" };
    return {
      packages:
        first === undefined
          ? ["ruby-full", "bundler", "libyaml-dev"].map((name) => ({ name, reason }))
          : buildPackages.map((name) => ({ name, reason: first.reason })),
      env: [{ name: "BUNDLE_PATH", value: bundlePath, reason }],
      setUp: [...other.setUp, ...locked(project, "Gemfile.lock", "bundle install")],
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
      leftOut: other.leftOut,
    };
  },
};

/**
 * One version, to its patch. Bundler holds a project to it, and Debian's patch is the one of its
 * last security update.
 */
const patchVersion = /^=?[ \t]*(\d+\.\d+\.\d+)$/;

function wantedRuby(project: Project, gemfile: RepositoryFile): Wanted | null {
  const have = imageVersions.ruby;
  const asked = askedVersion(project, ["ruby"], [[".ruby-version", /^[ \t]*([^\s#]+)/m]]);
  if (asked !== null) return patchOf(asked) ?? pinned(asked, have);
  // `ruby "3.3.4"`, `ruby "~> 3.2"`, `ruby ">= 3.1", "< 3.4"`.
  const range = gemfile.find(/^ruby[ \t]*\(?[ \t]*((?:["'][^"'\n]+["'][ \t]*,?[ \t]*)+)/m);
  const text = [...(range?.match[1] ?? "").matchAll(/["']([^"']+)["']/g)]
    .map(([, one = ""]) => one.trim())
    .join(", ");
  if (range === null) return null;
  const wish = { text, at: range.at };
  return patchOf(wish) ?? ranged(wish, have);
}

function patchOf(asked: Asked): Wanted | null {
  const [, version] = patchVersion.exec(asked.text) ?? [];
  return version === undefined ? null : { ...asked, version };
}
