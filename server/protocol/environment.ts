import { z } from "zod";
import type { SourceModel } from "./source-model.ts";

/** An engine whose containers descriptions are compared with, as its owner sees it. */
export const EnvironmentView = z.object({
  name: z.string(),
  dockerHost: z.string(),
  certificates: z.string().nullable(),
  project: z.string().nullable(),
  createdAt: z.string(),
});
export type EnvironmentView = z.infer<typeof EnvironmentView>;

/** What runs in an environment now. */
export interface RunningEnvironment {
  /** For a headline: the environment's name, and what of it is meant. */
  readonly title: string;
  readonly model: SourceModel;
}
