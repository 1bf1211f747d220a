import { known } from "../../protocol/fact.ts";
import type { SourceModel } from "../../protocol/source-model.ts";
import { sourceRoot } from "../source-root.ts";

/** The image with the usual tools, for repositories that name none. */
export const defaultImage = "oneloop/workspace:latest";

/** What stands for the configuration of a repository that has no devfile: one container. */
export function defaultModel(): SourceModel {
  const where = { file: "(no devfile)", line: 1, column: 1 };
  return {
    format: "fallback",
    name: known("dev", where),
    services: [
      {
        name: known("dev", where),
        image: known(defaultImage, where),
        command: known(null, where),
        args: known(null, where),
        memoryLimitBytes: known(null, where),
        memoryRequestBytes: known(null, where),
        cpuLimitCores: known(null, where),
        cpuRequestCores: known(null, where),
        user: known(null, where),
        readOnlyRoot: known(false, where),
        sourcePath: known(sourceRoot, where),
        dedicatedPod: known(false, where),
        env: {},
        endpoints: [],
        mounts: [],
      },
    ],
    volumes: [],
    tasks: [],
    projects: [],
    leftOut: [],
  };
}
