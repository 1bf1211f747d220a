import type Docker from "dockerode";
import type { ChangedFile } from "../services.ts";
import type { Owner, ServiceOf, StepOptions } from "../steps.ts";
import { changeFound, withoutContainer } from "./change-files.ts";
import { unless } from "./client.ts";
import type { Names } from "./names.ts";
import { isJoined } from "./network.ts";
import type { SandboxParts } from "./sandboxes.ts";
import { endSoon } from "./stopping.ts";

export interface Renewal extends StepOptions {
  readonly files: readonly ChangedFile[];
  readonly graceMs: number;
}

interface RenewParts extends Pick<SandboxParts, "ready"> {
  readonly docker: Docker;
  readonly names: Names;
}

/**
 * Puts files into a service and starts its program again in the container that it has. The engine
 * takes about as long to unpack them as to see the end of the program: both at once.
 */
export async function renewService(
  parts: RenewParts,
  which: ServiceOf,
  { files, graceMs, signal }: Renewal,
): Promise<{ started: boolean; killed: boolean }> {
  const { docker, names } = parts;
  const { owner, service } = which;
  const container = docker.getContainer(names.member(owner, service));
  const found = await unless([404], container.inspect({ abortSignal: signal }));
  if (found === null) throw withoutContainer(service);
  const steps = [
    endSoon(container, found, { graceMs, signal }),
    changeFound(parts, { which, found, changes: { files, removed: [] } }, signal),
    joinsReady(parts, owner, found),
  ] as const;
  try {
    const [killed, , isReady] = await Promise.all(steps);
    return { started: isReady && (await starts(container, signal)), killed };
  } finally {
    // A failed step leaves nothing that still works behind its back.
    await Promise.allSettled(steps);
  }
}

/** Whether the sandbox that it joins runs as this control plane saw it become ready, and in its network. */
async function joinsReady(
  { docker, names, ready }: RenewParts,
  owner: Owner,
  { HostConfig }: Docker.ContainerInspectInfo,
): Promise<boolean> {
  const network = names.network(owner);
  const [, id = ""] = /^container:(.+)$/.exec(HostConfig.NetworkMode ?? "") ?? [];
  const startedAt = ready.get(network)?.startedAt.get(id);
  if (startedAt === undefined) return false;
  const sandbox = await unless([404], docker.getContainer(id).inspect());
  return (
    sandbox?.State.Running === true &&
    sandbox.State.StartedAt === startedAt &&
    isJoined(sandbox.NetworkSettings, network)
  );
}

/** What keeps it from starting is said by the step that makes sure of everything. */
async function starts(container: Docker.Container, signal: AbortSignal): Promise<boolean> {
  try {
    await unless([304], container.start({ abortSignal: signal }));
    return true;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}
