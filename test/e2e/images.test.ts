import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { WorkspaceDetail, WorkspaceSummary } from "../../server/protocol/workspace.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { Installation } from "../helpers/installation.ts";
import { makeRepository } from "../helpers/repositories.ts";
import { workspaceShell, type Shell } from "../helpers/workspace-shell.ts";

const devfile = `
schemaVersion: 2.2.2
metadata: { name: built }
components:
  - name: dev
    container: { image: acme/dev:1 }
  - name: dev-image
    image:
      imageName: acme/dev:1
      dockerfile:
        uri: docker/Dockerfile
        buildContext: docker
        args: ["--build-arg", "WHO=us"]
  - name: spare
    image: { imageName: acme/spare:1, dockerfile: { uri: docker/Dockerfile } }
`;
const dockerfile = `
FROM oneloop/workspace:latest
USER root
ARG WHO
COPY hello /hello
RUN echo "built for $WHO" > /built
USER dev
`;

const lifetime = new Lifetime();
let oneloop: Installation;
let shell: Shell;
let ws: WorkspaceSummary;
const events = async (): Promise<string[]> =>
  (await oneloop.loopJson<WorkspaceDetail>("show", ws.name)).events.map(({ message }) => message);

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "oneloop-images-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  const made = await makeRepository(folder, "built", {
    files: { "devfile.yaml": devfile, "docker/Dockerfile": dockerfile, "docker/hello": "hello\n" },
  });
  oneloop = lifetime.own(await Installation.start());
  ws = await oneloop.loopJson<WorkspaceSummary>("open", `file://${made.path}`);
  shell = await workspaceShell(oneloop, folder);
});
afterAll(() => lifetime[Symbol.asyncDispose]());

it("an image that a component runs is built from the repository, and the build is seen", async () => {
  const { stdout } = await shell(ws.name, "cat /built /hello; id -un");
  expect(stdout).toBe("built for us\nhello\ndev\n");
  const said = await events();
  expect(said).toContain("Building acme/dev:1 from docker/Dockerfile");
  expect(said.some((line) => line.includes("built for"))).toBe(true);
  const { leftOut } = await oneloop.loopJson<WorkspaceDetail>("show", ws.name);
  expect(leftOut.map(({ what, why }) => `${what}: ${why}`)).toEqual([
    "image component spare: No container component runs acme/spare:1, so it is not built.",
  ]);
});

it("an image is built again at a start after a change of the workspace's files, and only then", async () => {
  const restart = async (): Promise<string[]> => {
    const before = (await events()).length;
    for (const action of ["stop", "start"]) {
      const done = await oneloop.loop(action, ws.name);
      expect(done.exitCode, done.stderr).toBe(0);
    }
    return (await events()).slice(before);
  };
  const programs = (lines: string[]): string[] => lines.filter((line) => line.startsWith("RUN "));
  expect(programs(await restart())).toEqual([]);
  await shell(ws.name, "echo changed > /workspace/built/docker/hello; echo kept > ~/mine");
  expect(programs(await restart())).toHaveLength(1);
  expect((await shell(ws.name, "cat /hello ~/mine")).stdout).toBe("changed\nkept\n");
});

it("a build that fails says where, and the opened commit's image is there to mend it in", async () => {
  const sh = (command: string) => shell(ws.name, `cd /workspace/built/docker; ${command}`);
  const restart = async (): Promise<void> => {
    for (const action of ["stop", "start"]) {
      const done = await oneloop.loop(action, ws.name);
      expect(done.exitCode, done.stderr).toBe(0);
    }
  };
  await sh("cp Dockerfile ../good; echo 'RUN echo no such luck; exit 7' >> Dockerfile");
  await restart();
  const failure = (await events()).find((line) => line.includes("could not be built"));
  expect(failure).toMatch(/Dockerfile:8: the build's program ended with status 7\.\nno such luck/);
  expect((await shell(ws.name, "cat /hello ~/mine")).stdout).toBe("hello\nkept\n");
  await sh("cp ../good Dockerfile");
  await restart();
  expect((await shell(ws.name, "cat /hello")).stdout).toBe("changed\n");
});
