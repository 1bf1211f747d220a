import type { Detector, OfferedCommand, Reason } from "../finding.ts";
import type { Project, RepositoryFile } from "../tree.ts";
import { compare, imageVersions, parseVersion } from "../versions.ts";
import { askedVersion, managerFiles, pinned, type Wanted } from "./asked.ts";
import { miseInstall } from "./mise.ts";

export const go: Detector = {
  name: "Go",
  language: true,
  marks: ["go.mod"],
  reads: [...managerFiles, ".go-version"],
  detect(project) {
    const file = project.first(["go.mod"]);
    if (file === null) return {};
    const module: Reason = {
      at: (file.find(/^module\b/m) ?? { at: file.place() }).at,
      why: "a module of Go",
    };
    const offer = (group: OfferedCommand["group"], line: string): OfferedCommand => ({
      id: group,
      group,
      line,
      reason: module,
    });
    const sums = project.first(["go.sum"]);
    const main = project.first(["main.go"]);
    const wanted = wantedGo(project, file);
    const other = miseInstall({ tool: "go", name: "Go", debian: imageVersions.go }, wanted);
    return {
      packages: other.setUp.length > 0 ? [] : [{ name: "golang", reason: module }],
      setUp: [
        ...other.setUp,
        ...(sums === null
          ? []
          : [
              {
                id: "install-dependencies",
                line: "go mod download",
                once: "workspace" as const,
                reason: { at: sums.place(), why: "it says which modules the project needs" },
              },
            ]),
      ],
      commands: [
        ...(main === null
          ? []
          : [{ ...offer("run", "go run ."), reason: { at: main.place(), why: "its program" } }]),
        offer("test", "go test ./..."),
        offer("build", "go build ./..."),
      ],
      leftOut: other.leftOut,
    };
  },
};

/** go.mod says the oldest that will do, and perhaps the one to take (Go Modules Reference). */
function wantedGo(project: Project, file: RepositoryFile): Wanted | null {
  const have = imageVersions.go;
  const asked = askedVersion(project, ["go", "golang"], [[".go-version", /^[ \t]*([^\s#]+)/m]]);
  if (asked !== null) return pinned(asked, have);
  const oldest = file.find(/^go[ \t]+(\d[\w.]*)/m);
  const version = parseVersion(oldest?.match[1] ?? "");
  if (version === null || compare(have, version) >= 0) return null;
  const named = file.find(/^toolchain[ \t]+go(\d[\w.]*)/m) ?? oldest;
  const text = named?.match[1];
  return named === null || text === undefined ? null : { text, at: named.at, version: text };
}
