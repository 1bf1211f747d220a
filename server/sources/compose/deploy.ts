import { known } from "../../protocol/fact.ts";
import type { Fact } from "../../protocol/fact.ts";
import type { SourceService } from "../../protocol/service.ts";
import {
  deployKeys,
  limitsKeys,
  reservationsKeys,
  resourcesKeys,
  restartPolicyKeys,
} from "./keys.ts";
import { noneForZero, oneOf } from "./project.ts";
import type { Section } from "./section.ts";
import { bytes, cores, count, word } from "./values.ts";

type Deployed = Pick<
  SourceService,
  | "memoryLimitBytes"
  | "memoryRequestBytes"
  | "cpuLimitCores"
  | "cpuRequestCores"
  | "replicas"
  | "restart"
  | "role"
>;

/** What `deploy` and the older attributes beside it say: limits, number, and restarts. */
export function readDeploy(service: Section): Deployed {
  const deploy = service.section("deploy", deployKeys);
  const resources = deploy?.section("resources", resourcesKeys) ?? null;
  const limits = resources?.section("limits", limitsKeys) ?? null;
  const reservations = resources?.section("reservations", reservationsKeys) ?? null;
  const none = known(null, service.where);
  const memoryLimit = [
    { section: limits, name: "memory" },
    { section: service, name: "mem_limit" },
  ];
  const memoryRequest = [
    { section: reservations, name: "memory" },
    { section: service, name: "mem_reservation" },
  ];
  const cpuLimit = [
    { section: limits, name: "cpus" },
    { section: service, name: "cpus" },
  ];
  const cpuRequest = [{ section: reservations, name: "cpus" }];
  return {
    memoryLimitBytes: noneForZero(oneOf(memoryLimit, bytes, none)),
    memoryRequestBytes: noneForZero(oneOf(memoryRequest, bytes, none)),
    cpuLimitCores: noneForZero(oneOf(cpuLimit, cores, none)),
    cpuRequestCores: noneForZero(oneOf(cpuRequest, cores, none)),
    replicas: readReplicas(service, deploy),
    restart: readRestart(service, deploy),
    role: readRole(service, deploy),
  };
}

function readReplicas(service: Section, deploy: Section | null): Fact<number> {
  const places = [
    { section: deploy, name: "replicas" },
    { section: service, name: "scale" },
  ];
  const fact = oneOf(places, count, known(1, service.where));
  return fact.known ? known(fact.value ?? 1, fact.where) : fact;
}

const modes = word({
  replicated: "replicated",
  global: "global",
  "replicated-job": "job",
  "global-job": "job",
} as const);

function readRole(service: Section, deploy: Section | null): SourceService["role"] {
  const part = deploy?.get("mode") ?? null;
  const mode = deploy?.value("mode", modes) ?? null;
  if (part === null || deploy === null || mode === null || mode === "replicated") {
    return known("service", service.where);
  }
  if (mode === "job") return known("job", part.mark.where);
  deploy.list("mode", "One on each machine of a cluster: a workspace is on one machine.");
  return known("service", service.where);
}

const policies = word({ none: "no", "on-failure": "on-failure", any: "always" } as const);

/** `deploy.restart_policy` counts before `restart`, as Compose has it. */
function readRestart(service: Section, deploy: Section | null): SourceService["restart"] {
  const policy = deploy?.section("restart_policy", restartPolicyKeys) ?? null;
  if (policy !== null) {
    return policy.fact("condition", policies, known("always", policy.where));
  }
  const restart = { wanted: "restart policy such as on-failure", parse: parseRestart };
  return service.fact("restart", restart, known("no", service.where));
}

/** `no` without quotes was YAML 1.1's false. How often it is tried is not kept. */
function parseRestart(text: string): "no" | "on-failure" | "always" | null {
  if (text === "no" || text === "false" || text === "") return "no";
  if (text === "always" || text === "unless-stopped") return "always";
  return /^on-failure(?::\d{1,9})?$/.test(text) ? "on-failure" : null;
}
