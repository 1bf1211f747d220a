import type Docker from "dockerode";
import { randomIds } from "../../util/ids.ts";
import type { PlannedService } from "../../protocol/service.ts";
import type { StepOptions, WorkspaceSpec } from "../steps.ts";
import { devServiceOf } from "../member-spec.ts";
import { exitStatus, missingImage, removeContainer, type ContainerOptions } from "./containers.ts";
import { statusOf } from "./client.ts";
import type { Images } from "./image-facts.ts";
import { memberOptions } from "./members.ts";
import { label, type Names, type Role } from "./names.ts";
import { attach, chunksOf } from "./output.ts";
import { runningSandbox } from "./sandboxes.ts";

/** The end of a program's output, in bytes: what a person needs to see why it failed. */
const keptBytes = 4096;

export interface RunToEndParts {
  readonly docker: Docker;
  readonly names: Names;
  readonly images: Images;
  readonly supervisorVolume: string;
  /** Variables that a devfile's service has unless its plan says otherwise. */
  readonly defaults: Readonly<Record<string, string>>;
  /** The run of this control plane: what a killed one left is removed by the next. */
  readonly run: string;
}

/** Runs a container that is made as a member is, but is none: to its end, and removes it. */
export async function runToEnd(
  parts: RunToEndParts,
  { spec, name, service: given }: { spec: WorkspaceSpec; name: string; service: PlannedService },
  options: StepOptions,
): Promise<{ readonly exitCode: number; readonly output: string }> {
  const { docker, names, images, supervisorVolume, defaults, run } = parts;
  const { owner, plan } = spec;
  const { signal } = options;
  // No service of a plan has `_` in its name: whatever runs to its end is not the dev service.
  const service = { ...given, name: `${given.name}_once` };
  const facts = await images.ensure(
    service.image,
    { user: service.user, reader: spec.reader },
    options,
  );
  const sandbox = await runningSandbox({ docker, names }, spec, devServiceOf(plan));
  const member = memberOptions(
    {
      names,
      supervisorVolume,
      reference: (image) => images.reference(image),
      images: new Map([[service.name, facts]]),
      // No supervisor runs in it: only the defaults count.
      setup: { publicKey: "", env: {}, defaults },
    },
    spec,
    { service, sandboxId: sandbox.id },
  );
  const container = await create(docker, {
    ...member,
    name: names.job(owner, name, randomIds.id()),
    Labels: {
      ...names.containerLabels(owner),
      [label.role]: "job" satisfies Role,
      [label.run]: run,
    },
  });
  try {
    const stream = await attach(container, signal);
    await container.start({ abortSignal: signal });
    let output: Buffer = Buffer.alloc(0);
    for await (const { data } of chunksOf(stream)) {
      output = Buffer.concat([output, data]).subarray(-keptBytes);
    }
    return { exitCode: await exitStatus(container, signal), output: output.toString("utf8") };
  } finally {
    await removeContainer(docker, container.id);
  }
}

async function create(docker: Docker, options: ContainerOptions): Promise<Docker.Container> {
  try {
    return await docker.createContainer(options);
  } catch (error) {
    if (statusOf(error) === 404) throw missingImage(options.Image ?? "", error);
    throw error;
  }
}
