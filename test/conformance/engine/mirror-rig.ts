import { Readable } from "node:stream";
import { pack } from "tar-stream";
import { afterAll, beforeAll, expect } from "vitest";
import type { Preparation } from "../../../server/engine/engine.ts";
import type { ServiceStart } from "../../../server/engine/services.ts";
import type { Owner, WorkspaceSpec } from "../../../server/engine/steps.ts";
import type { WorkspacePlan } from "../../../server/protocol/plan.ts";
import { type PlannedService } from "../../../server/protocol/service.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { docker, objectsWith } from "../../helpers/engine-objects.ts";
import { planOf, service } from "../../helpers/plans.ts";
import {
  inside,
  sandboxesOf,
  startTestEngine,
  step,
  workspaceOwner,
  type TestEngine,
} from "../../helpers/test-engine.ts";
import { noFiles } from "./mirrored.ts";

export const lifetime = new Lifetime();
/** Ready when the tests of the file that imports this run. */
export let test: TestEngine;
/** As a plan names it: it is read back as that. */
export const image = "oneloop/workspace:latest";
beforeAll(async () => {
  test = lifetime.own(await startTestEngine());
});
afterAll(() => lifetime[Symbol.asyncDispose]());

const setup = { publicKey: "key", env: {} };

/** A workspace with its sandboxes and its own members; disposing removes it whole. */
export async function open(
  services: readonly PlannedService[],
  {
    volumes = [],
    dev = {},
    ahead = () => null,
  }: {
    volumes?: readonly string[];
    dev?: Partial<PlannedService>;
    /** What is made before it is opened; null: nothing. */
    ahead?: (plan: WorkspacePlan) => Preparation | null;
  } = {},
) {
  const owner = workspaceOwner();
  const spec = specOf(owner, services, { volumes, dev });
  const preparation = ahead(spec.plan);
  if (preparation !== null) await test.engine.prepareSandboxes(owner, { ...step(), preparation });
  const made = await sandboxesOf(owner);
  await bring(spec);
  return {
    owner,
    spec,
    /** Those that were made before. */
    made,
    start: (which: Partial<ServiceStart> & { service: string }, from: WorkspaceSpec = spec) =>
      test.engine.ensureService(from, { ...noFiles, ...which }, step()),
    [Symbol.asyncDispose]: async () => {
      await test.engine.remove(owner, { ...step(), storage: true });
      const left = await objectsWith(`oneloop.workspace=${owner.id}`);
      expect(left).toEqual({ containers: [], networks: [], volumes: [] });
      expect(await imagesOf(owner)).toEqual([]);
    },
  };
}

export function specOf(
  owner: Owner,
  services: readonly PlannedService[],
  { volumes = [], dev = {} }: { volumes?: readonly string[]; dev?: Partial<PlannedService> } = {},
): WorkspaceSpec {
  const plan = planOf(
    [service("dev", { image, ...dev }), ...services],
    volumes.map((name) => ({ name, sizeBytes: null, ephemeral: false })),
  );
  return { owner, name: "mirrored", plan };
}

export async function bring(
  spec: WorkspaceSpec,
  from: Pick<TestEngine, "engine"> = test,
): Promise<void> {
  await Promise.all([
    from.engine.ensureStorage(spec, step()),
    from.engine.ensureSandbox(spec, step()),
  ]);
  await from.engine.ensureMembers(spec, setup, step());
}

export async function imagesOf(owner: Owner): Promise<string[]> {
  const filters = JSON.stringify({ label: [`oneloop.workspace=${owner.id}`] });
  const images = await docker.listImages({ filters });
  return images.flatMap(({ RepoTags }) => RepoTags ?? []);
}

export async function shell(owner: Owner, name: string, script: string): Promise<string> {
  const { exitCode, output } = await inside(owner, name, ["bash", "-ec", script]);
  expect(exitCode, output).toBe(0);
  return output.trim();
}

type Tree = Readonly<Record<string, string | { readonly link: string }>>;

export async function tarOf(tree: Tree): Promise<Buffer[]> {
  const out = pack();
  for (const [name, content] of Object.entries(tree)) {
    if (typeof content === "string") out.entry({ name, mode: 0o644 }, content);
    else out.entry({ name, type: "symlink", linkname: content.link });
  }
  out.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of out) chunks.push(chunk as Buffer);
  return chunks;
}

/** An image of the test's own; disposing removes it. */
export async function buildTestImage(tree: Tree): Promise<AsyncDisposable & { image: string }> {
  const name = `oneloop-test/mirror:${randomIds.id()}`;
  const building = await docker.buildImage(Readable.from(await tarOf(tree)), {
    t: name,
    networkmode: "none",
  });
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(building, (error) => (error === null ? resolve() : reject(error)));
  });
  return {
    image: name,
    [Symbol.asyncDispose]: async () => {
      await docker.getImage(name).remove({ force: true });
    },
  };
}
