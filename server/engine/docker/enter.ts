import type Docker from "dockerode";
import { OneloopError } from "../../protocol/errors.ts";
import { supervisorMount, type SupervisorConfig } from "../../protocol/supervisor.ts";
import type { EnterSetup } from "../services.ts";
import type { Owner, SupervisorAddress } from "../steps.ts";
import { unless } from "./client.ts";
import { formatEnv, parseEnv } from "./image-facts.ts";
import type { Names } from "./names.ts";
import { endWith, untilReady } from "./output.ts";
import { supervisorEnvironment, supervisorProgram } from "./supervisor-process.ts";

type Inspected = Docker.ContainerInspectInfo;

interface EnterParts {
  readonly docker: Docker;
  readonly names: Names;
}

/**
 * What loses its parent here would become a child of the service's own command, which seldom reaps:
 * the init takes it instead (`-s`, a subreaper; prctl(2)).
 */
const enterCommand = [`${supervisorMount}/bin/init`, "-s", "-g", "--", ...supervisorProgram];

/**
 * Starts a supervisor in a service's container by an exec. A second one in the same container says
 * the first one's line and ends, so whoever asks, and after whatever restart, gets the same.
 */
export async function enterService(
  { docker, names }: EnterParts,
  { owner, service }: { owner: Owner; service: string },
  { setup, signal }: { setup: EnterSetup; signal: AbortSignal },
): Promise<{ address: SupervisorAddress; boot: string }> {
  const container = docker.getContainer(names.member(owner, service));
  const found = await unless([404], container.inspect());
  if (found?.State.Running !== true) throw notRunning(service, found);
  if (!found.Mounts.some(({ Destination }) => Destination === supervisorMount)) {
    throw new OneloopError(
      "conflict",
      `${service} was started by an older Oneloop, which could not enter it. Stop the workspace and start it again.`,
    );
  }
  const host = await hostOf({ docker, names }, owner, found);
  const given = parseEnv(found.Config.Env);
  const config: SupervisorConfig = {
    workspace: owner.id,
    publicKey: setup.publicKey,
    cwd: found.Config.WorkingDir === "" ? "/" : found.Config.WorkingDir,
    home: "/",
    shell: null,
    env: given,
    tasks: [],
    imageCommand: [],
    entered: { idleMs: setup.idleMs },
  };
  const exec = await container.exec({
    Cmd: enterCommand,
    Env: formatEnv(supervisorEnvironment(config, given)),
    WorkingDir: "/",
    AttachStdout: true,
    AttachStderr: true,
    abortSignal: signal,
  });
  const stream = await exec.start({ hijack: true, stdin: false, abortSignal: signal });
  const output = endWith(stream, signal);
  try {
    const { ready, stderr } = await untilReady(output);
    const { boot, port } = ready ?? {};
    if (boot !== undefined && port !== undefined) return { address: { host, port }, boot };
    signal.throwIfAborted();
    throw new OneloopError(
      "supervisor-unreachable",
      `${service} runs, but it cannot be entered: ${stderr.trim().slice(0, 300) || "no answer"}`,
    );
  } finally {
    // It goes on: who reads its first line does not own it.
    output.destroy();
  }
}

/** Whether a supervisor that entered the container runs; of most containers nobody has to ask. */
export async function isEntered(docker: Docker, { ExecIDs }: Inspected): Promise<boolean> {
  // The engine's types say otherwise: without one it is null.
  const ids = (ExecIDs as string[] | null | undefined) ?? [];
  const execs = await Promise.all(ids.map((id) => unless([404], docker.getExec(id).inspect())));
  return execs.some((exec) => {
    const { entrypoint, arguments: given } = exec?.ProcessConfig ?? {};
    return exec?.Running === true && [entrypoint, ...(given ?? [])].join() === enterCommand.join();
  });
}

/** The address of the network namespace in which it runs: its sandbox's. */
async function hostOf(
  { docker, names }: EnterParts,
  owner: Owner,
  { HostConfig }: Inspected,
): Promise<string> {
  const [, sandboxId = ""] = /^container:(.+)$/.exec(HostConfig.NetworkMode ?? "") ?? [];
  const sandbox = await unless([404], docker.getContainer(sandboxId).inspect());
  const host = sandbox?.NetworkSettings.Networks[names.network(owner)]?.IPAddress;
  if (host !== undefined && host !== "") return host;
  throw new OneloopError("engine-failed", "The network is gone. Start the workspace again.");
}

function notRunning(service: string, found: Inspected | null): OneloopError {
  const ended = found !== null && found.State.Status !== "created";
  return new OneloopError(
    "workspace-not-running",
    ended
      ? `${service} does not run: it ended with status ${found.State.ExitCode}. \`loop start\` starts it again.`
      : `${service} does not run. \`loop start\` starts it.`,
  );
}
