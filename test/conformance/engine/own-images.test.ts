import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pack } from "tar-stream";
import { afterAll, beforeAll, expect, it } from "vitest";
import { ensureBase } from "../../../server/engine/docker/images/base.ts";
import { ensureBuilt, type BuiltImage } from "../../../server/engine/docker/images/build.ts";
import { followOutput, type ImageStep } from "../../../server/engine/docker/images/operation.ts";
import { systemExecer } from "../../../server/util/execer.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { docker } from "../../helpers/engine-objects.ts";

const step: ImageStep = {
  docker,
  onProgress: () => undefined,
  signal: AbortSignal.timeout(10 * 60 * 1000),
};
/** A checkout whose helper image nobody else has: its hash is this run's own. */
let root: string;
const made: string[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "oneloop-images-"));
  const folder = join(root, "workspace-image", "images", "helper");
  await mkdir(folder, { recursive: true });
  await writeFile(
    join(folder, "Dockerfile"),
    `ARG BASE\nFROM \${BASE}\nLABEL test=${randomIds.id()}\n`,
  );
});
afterAll(async () => {
  for (const id of made) await docker.getImage(id).remove({ force: true });
  await rm(root, { recursive: true });
});

async function helper(): Promise<BuiltImage> {
  const base = await ensureBase(step, {
    baseImage: process.env["ONELOOP_BASE_IMAGE"],
    execer: systemExecer,
  });
  const trust = { bundle: "", ownId: null };
  const built = await ensureBuilt(step, "helper", { base, root, trust });
  if (!made.includes(built.id)) made.push(built.id);
  return built;
}

/** What a pull of somebody else's image under our name would leave on the engine. */
async function plant(ref: string, labels: Record<string, string>): Promise<string> {
  const context = pack();
  context.entry({ name: "Dockerfile" }, `FROM scratch\nLABEL planted=${randomIds.id()}\n`);
  context.finalize();
  const output = await docker.buildImage(Readable.from(context), { t: ref, labels });
  await followOutput(docker, output, () => undefined);
  const { Id } = await docker.getImage(ref).inspect();
  made.push(Id);
  return Id;
}

it("an image under Oneloop's own name is trusted only with the mark of its own build", async () => {
  const first = await helper();
  expect(await helper()).toEqual(first);
  for (const labels of [{}, { "oneloop.part": "image" }, { "oneloop.content": first.hash }]) {
    const planted = await plant(first.ref, labels);
    const again = await helper();
    expect(again.ref).toBe(first.ref);
    expect(again.id).not.toBe(planted);
    const { Config } = await docker.getImage(first.ref).inspect();
    expect(Config.Labels["planted"]).toBeUndefined();
  }
});
