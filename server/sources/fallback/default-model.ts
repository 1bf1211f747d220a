import type { SourceModel } from "../../protocol/source-model.ts";
import { detect } from "../detect/read.ts";

export { defaultImage } from "./default-image.ts";

/** What stands for the configuration of a repository in which nothing is found: one container. */
export function defaultModel(): SourceModel {
  return detect({ paths: [], texts: new Map() }, "dev").model;
}
