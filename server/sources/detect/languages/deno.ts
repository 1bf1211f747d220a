import type { Detector } from "../finding.ts";
import { memberAt, parseJson } from "../json.ts";
import { npmProgram } from "./npm-program.ts";

export const deno: Detector = {
  name: "Deno",
  language: true,
  marks: ["deno.json", "deno.jsonc"],
  reads: [],
  detect(project) {
    const file = project.first(["deno.json", "deno.jsonc"]);
    if (file === null) return {};
    const json = parseJson(file);
    const reason = { at: file.place(), why: "a project of Deno" };
    const lock = project.first(["deno.lock"]);
    const run = ["dev", "start"].find((name) => memberAt(json, "tasks", name) !== null);
    const task = run === undefined ? null : memberAt(json, "tasks", run);
    return {
      setUp: [
        {
          id: "install-deno",
          line: npmProgram({ folder: "deno", packages: ["deno"], programs: ["deno"] }),
          once: "container",
          reason,
        },
        ...(lock === null
          ? []
          : [
              {
                id: "install-dependencies",
                line: "deno install",
                once: "workspace" as const,
                reason: { at: lock.place(), why: "it says which packages the project needs" },
              },
            ]),
      ],
      commands: [
        ...(run === undefined || task === null
          ? []
          : [
              {
                id: "run",
                group: "run" as const,
                line: `deno task ${run}`,
                reason: { at: task.key, why: `the task "${run}"` },
              },
            ]),
        { id: "test", group: "test", line: "deno test", reason },
      ],
    };
  },
};
