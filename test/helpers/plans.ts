import type { ImageFacts } from "../../server/engine/images.ts";
import type { WorkspacePlan } from "../../server/protocol/plan.ts";
import type { PlannedService } from "../../server/protocol/service.ts";

/** Of an image that nobody runs. */
export const facts: ImageFacts = {
  id: "sha256:0000000000000000000000000000000000000000000000000000000000000000",
  user: { uid: 1000, gid: 1000, name: "dev" },
  home: "/home/dev",
  shell: "/bin/sh",
  entrypoint: [],
  command: ["sh"],
  env: { PATH: "/usr/bin:/bin" },
  workdir: "/",
};

/** A service that asks for nothing but what is given. */
export function service(name: string, change: Partial<PlannedService> = {}): PlannedService {
  return {
    name,
    image: "oneloop/workspace:latest",
    command: null,
    args: null,
    memoryLimitBytes: null,
    memoryRequestBytes: null,
    cpuLimitCores: null,
    cpuRequestCores: null,
    user: null,
    readOnlyRoot: false,
    sourcePath: name === "dev" ? "/workspace" : null,
    dedicatedPod: false,
    env: {},
    endpoints: [],
    mounts: [],
    ...change,
  };
}

/** A plan of these services; the first is the dev service. */
export function planOf(
  services: readonly [PlannedService, ...PlannedService[]],
  volumes: WorkspacePlan["volumes"] = [],
): WorkspacePlan {
  return {
    version: 1,
    devService: services[0].name,
    services: [...services],
    volumes,
    checkout: null,
    tasks: [],
    because: [],
    leftOut: [],
  };
}
