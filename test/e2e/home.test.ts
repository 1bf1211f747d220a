import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { contextTar } from "../../server/engine/docker/images/context.ts";
import { followOutput } from "../../server/engine/docker/images/operation.ts";
import type { WorkspaceSummary } from "../../server/protocol/workspace.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { docker, objectsWith } from "../helpers/engine-objects.ts";
import { Installation } from "../helpers/installation.ts";
import { makeRepository } from "../helpers/repositories.ts";
import { workspaceShell, type Shell } from "../helpers/workspace-shell.ts";

const lifetime = new Lifetime();
let folder: string;
let oneloop: Installation;
let shell: Shell;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "oneloop-home-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  oneloop = lifetime.own(await Installation.start());
  shell = await workspaceShell(oneloop, folder);
});
afterAll(() => lifetime[Symbol.asyncDispose]());

/** An image that goes with the test. */
async function imageWith(lines: string): Promise<string> {
  const name = `oneloop-test/home:${randomUUID()}`;
  const content = `FROM oneloop/base:bookworm\n${lines}\n`;
  const context = contextTar([{ name: "Dockerfile", source: { content } }]);
  await followOutput(docker, await docker.buildImage(context, { t: name }), () => undefined);
  lifetime.defer(() => docker.getImage(name).remove({ force: true }));
  return name;
}

const devfile = (image: string): string =>
  `schemaVersion: 2.2.0\ncomponents:\n  - { name: dev, container: { image: "${image}" } }\n`;

it.each([
  ["is-root", "ENV HOME=/\nUSER 4242:4242", { home: "/home/oneloop", uid: "4242" }],
  ["is-nowhere", "USER 4242:4242", { home: "/home/oneloop", uid: "4242" }],
  [
    "is-root-by-passwd",
    "RUN sed -i 's,:/root:,:/:,' /etc/passwd",
    { home: "/home/oneloop", uid: "0" },
  ],
  // What passwd has is what other programs take.
  ["is-known-to-passwd", "ENV HOME=/", { home: "/root", uid: "0" }],
  ["is-elsewhere", "ENV HOME=/srv/home\nUSER 4242:4242", { home: "/srv/home", uid: "4242" }],
])(
  "a home that %s: what is written there is kept over a stop",
  async (name, lines, { home, uid }) => {
    const made = await makeRepository(folder, name, {
      files: { "devfile.yaml": devfile(await imageWith(lines)) },
    });
    const ws = await oneloop.loopJson<WorkspaceSummary>("open", `file://${made.path}`);
    const said = await shell(
      ws.name,
      'echo "$HOME"; id -u; stat -c %u ~; pwd; echo kept > ~/.kept && cat ~/.kept',
    );
    const folderOf = `/workspace/${name}`;
    expect(said.stdout.split("\n"), said.stderr).toEqual([home, uid, uid, folderOf, "kept", ""]);

    expect((await oneloop.loop("stop", ws.name)).exitCode).toBe(0);
    // As a release does: what lies in the container alone is gone.
    const { containers } = await objectsWith(`oneloop.workspace=${ws.id}`);
    const dev = containers.find((one) => one.endsWith("-dev"))?.slice(1) ?? "";
    await docker.getContainer(dev).remove();
    const started = await oneloop.loop("start", ws.name);
    expect(started.exitCode, started.stderr).toBe(0);
    expect((await shell(ws.name, `cat ${home}/.kept`)).stdout).toBe("kept\n");
  },
);
