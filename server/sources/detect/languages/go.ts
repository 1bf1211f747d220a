import type { Detector, OfferedCommand, Reason } from "../finding.ts";
import { tooOld } from "./too-old.ts";

export const go: Detector = {
  name: "Go",
  language: true,
  marks: ["go.mod"],
  reads: [".tool-versions"],
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
    const version = file.find(/^go[ \t]+(\d+\.\d+)/m);
    return {
      packages: [{ name: "golang", reason: module }],
      setUp:
        sums === null
          ? []
          : [
              {
                id: "install-dependencies",
                line: "go mod download",
                once: "workspace",
                reason: { at: sums.place(), why: "it says which modules the project needs" },
              },
            ],
      commands: [
        ...(main === null
          ? []
          : [{ ...offer("run", "go run ."), reason: { at: main.place(), why: "its program" } }]),
        offer("test", "go test ./..."),
        offer("build", "go build ./..."),
      ],
      leftOut: tooOld("go", { name: "Go", found: version }),
    };
  },
};
