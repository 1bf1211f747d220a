import type { LeftOut } from "../../../protocol/source-model.ts";
import type { Detector } from "../finding.ts";
import type { Project, RepositoryFile } from "../tree.ts";
import { imageVersions } from "../versions.ts";
import { askedVersion, managerFiles, pinned, ranged, type Wanted } from "./asked.ts";
import { locked, offer } from "./offering.ts";

export const php: Detector = {
  name: "PHP",
  language: true,
  marks: ["composer.json"],
  reads: [...managerFiles, ".php-version"],
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
      leftOut: another(project, file),
    };
  },
};

/**
 * Only named: mise compiles PHP from source, with a score of packages to compile it with, and none of
 * its extensions would be Debian's.
 */
function another(project: Project, file: RepositoryFile): LeftOut[] {
  const wanted = wantedPhp(project, file);
  if (wanted === null) return [];
  const why = `Debian's PHP ${imageVersions.php.join(".")} is installed: for another one, write a devfile with an image that has it.`;
  return [{ what: `PHP ${wanted.text}`, why, where: wanted.at }];
}

function wantedPhp(project: Project, file: RepositoryFile): Wanted | null {
  const have = imageVersions.php;
  const asked = askedVersion(project, ["php"], [[".php-version", /^[ \t]*([^\s#]+)/m]]);
  if (asked !== null) return pinned(asked, have);
  const range = file.find(/"php"\s*:\s*"([^"]+)"/);
  const text = range?.match[1];
  if (range === null || text === undefined) return null;
  // Composer's `|` is `||`, and its `~8.1` goes on to below 9 ("Versions and constraints").
  const npm = text.replaceAll(/\|+/g, "||").replaceAll(/~(?=\s*\d+(?:\.\d+)?(?![.\d]))/g, "^");
  const found = ranged({ text: npm, at: range.at }, have);
  return found === null ? null : { ...found, text };
}
