import type Docker from "dockerode";
import type { PlannedService } from "../../protocol/service.ts";
import type { WorkspaceSpec } from "../steps.ts";
import { unless } from "./client.ts";
import { ensureContainer } from "./containers.ts";
import { memberOptions, type MemberFiles, type MemberParts } from "./members.ts";
import { runningSandbox } from "./sandboxes.ts";

/** What a member that has to be replaced, or whose network is gone, has to end itself. */
const endGraceSeconds = 10;

export interface MadeMember {
  readonly container: Docker.Container;
  /** Of its network namespace. */
  readonly address: string;
  readonly isRunning: boolean;
  /** It has run before: what belongs into it is there. */
  readonly hasRun: boolean;
}

/** The container of a service in its sandbox, not started; stopped if its network is a dead one. */
export async function makeMember(
  docker: Docker,
  parts: MemberParts,
  work: {
    spec: WorkspaceSpec;
    service: PlannedService;
    files?: MemberFiles;
    signal: AbortSignal;
  },
): Promise<MadeMember> {
  const { spec, service, files, signal } = work;
  const sandbox = await runningSandbox({ docker, names: parts.names }, spec, service);
  const wanted = memberOptions(parts, spec, { service, sandboxId: sandbox.id, files });
  const { container, found } = await ensureContainer(docker, wanted, {
    signal,
    graceSeconds: endGraceSeconds,
  });
  const { address } = sandbox;
  if (found === null) return { container, address, isRunning: false, hasRun: false };
  const { State } = found;
  // The engine's word for never is the year 1.
  const startedAtMs = Date.parse(State.StartedAt);
  const hasRun = startedAtMs > 0;
  const isOrphan = State.Running && startedAtMs < sandbox.startedAtMs;
  if (isOrphan) {
    // It joined before the sandbox's last start and has a namespace with nothing but lo.
    await unless([304], container.stop({ t: endGraceSeconds, abortSignal: signal }));
  }
  const isRunning = State.Running && !isOrphan;
  return { container, address, isRunning, hasRun };
}
