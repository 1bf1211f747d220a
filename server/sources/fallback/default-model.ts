import { known } from "../../protocol/fact.ts";
import { unsaidService } from "../../protocol/service.ts";
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
        ...unsaidService(where),
        name: known("dev", where),
        image: known(defaultImage, where),
        sourcePath: known(sourceRoot, where),
      },
    ],
    volumes: [],
    tasks: [],
    projects: [],
    routes: [],
    policies: [],
    leftOut: [],
  };
}
