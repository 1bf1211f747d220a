import { formatPlace } from "../protocol/fact.ts";
import type { WorkspacePlan } from "../protocol/plan.ts";
import type { PreviewPart } from "../protocol/preview.ts";

/** Every part of a plan in a line, with the places that ask for it. */
export function partsOf(plan: WorkspacePlan): PreviewPart[] {
  const because = new Map(plan.because.map(({ part, where }) => [part, where.map(formatPlace)]));
  const part = (kind: PreviewPart["kind"], name: string, says: string): PreviewPart => ({
    ...{ kind, name, says },
    where: because.get(`${kind} ${name}`) ?? [],
  });
  const services = plan.services.map((service) => {
    const roles = [service.name === plan.devService ? "you work in it" : null, limits(service)];
    const says = [service.image, ...roles.filter((role) => role !== null)].join(", ");
    return part("service", service.name, says);
  });
  const ports = plan.services.flatMap(({ name, endpoints }) =>
    endpoints.map(({ targetPort, protocol, exposure, name: endpoint }) =>
      part(
        "port",
        `${targetPort} of ${name}`,
        `${endpoint}, ${protocol}${exposure === "public" ? "" : `, ${exposure}`}`,
      ),
    ),
  );
  const volumes = plan.volumes.map(({ name, ephemeral }) =>
    part("volume", name, ephemeral ? "emptied at each start" : "kept"),
  );
  const tasks = plan.tasks.map(({ name, command, phase, oncePer }) =>
    part("task", name, `${phaseWords(phase, oncePer)}: ${commandText(command)}`),
  );
  const oneShots = (plan.oneShots ?? []).map(
    ({ name, when, service: { image, command, args } }) => {
      const runs = command === null && args === null ? null : [...(command ?? []), ...(args ?? [])];
      const time = when === "before-start" ? "before each start" : "after each stop";
      const says = `${time}, in a container of its own (${image}): ${commandText(runs)}`;
      return { ...part("task", name, says), where: because.get(`container ${name}`) ?? [] };
    },
  );
  const commands = (plan.commands ?? []).map(({ name, group, command }) => {
    const purpose = group === null ? "" : `${group.kind}${group.isDefault ? " (default)" : ""}: `;
    return part("command", name, `${purpose}${commandText(command)}`);
  });
  const projects = (plan.projects ?? []).map(({ url, path, otherRemotes = [] }) => {
    const others = otherRemotes.map((remote) => `, also ${remote.name} ${remote.url}`);
    return part(
      "project",
      path.slice(path.lastIndexOf("/") + 1),
      `${url} in ${path}${others.join("")}`,
    );
  });
  return [...services, ...ports, ...volumes, ...oneShots, ...tasks, ...commands, ...projects];
}

type Task = WorkspacePlan["tasks"][number];

function phaseWords(phase: Task["phase"], oncePer: Task["oncePer"]): string {
  if (phase === "stop") return "before each stop";
  if (oncePer === "workspace" || oncePer === "content") return "once";
  return oncePer === "container" ? "once in its container" : "at each start";
}

function commandText(command: readonly string[] | null): string {
  if (command === null) return "the image's own command";
  const [program, option, line] = command;
  return program === "sh" && option === "-c" && line !== undefined ? line : command.join(" ");
}

function limits({
  memoryLimitBytes,
  cpuLimitCores,
}: WorkspacePlan["services"][number]): string | null {
  const words = [
    memoryLimitBytes === null ? null : `${Math.round(memoryLimitBytes / 1024 ** 2)} MiB`,
    cpuLimitCores === null ? null : `${cpuLimitCores} CPU`,
  ].filter((word) => word !== null);
  return words.length === 0 ? null : `at most ${words.join(" and ")}`;
}
