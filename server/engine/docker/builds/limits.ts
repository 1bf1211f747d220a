import { availableParallelism } from "node:os";

/** What a program of a build may use. */
export interface BuildLimits {
  readonly memoryBytes: number;
  readonly cpuCores: number;
  readonly pids: number;
  /** Of the whole build. */
  readonly timeoutMs: number;
}

export const usualBuildLimits: BuildLimits = {
  // Compilers of large programs; a build that wants more would take it from the workspaces.
  memoryBytes: 4 * 1024 ** 3,
  // The machine's: a dev service has no less, unless its devfile says so.
  cpuCores: availableParallelism(),
  // A fork bomb ends here and not at the machine's limit.
  pids: 4096,
  // A compiler of a large program; what takes longer hangs.
  timeoutMs: 30 * 60 * 1000,
};
