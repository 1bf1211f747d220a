import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { WorkspaceDetail, WorkspaceSummary } from "../../server/protocol/workspace.ts";
import { Lifetime } from "../../server/util/lifetime.ts";
import { Installation, root, run } from "../helpers/installation.ts";
import { registryUser, TestRegistry } from "../helpers/registry.ts";
import { makeRepository } from "../helpers/repositories.ts";

// One machine, two people, and an image that only one of them may read.
const lifetime = new Lifetime();
let oneloop: Installation;
let registry: TestRegistry;
let url: string;
let image: string;
let graces: NodeJS.ProcessEnv;

const loop = join(root, "cli/bin/loop.js");
const grace = (args: string[], input = "") =>
  run(process.execPath, [loop, ...args], { env: graces, input });

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "oneloop-registry-e2e-"));
  lifetime.defer(() => rm(folder, { recursive: true, force: true }));
  registry = lifetime.own(await TestRegistry.start({ isPrivate: true }));
  image = await registry.push("acme/dev:1", `made for ${folder}`);
  const devfile = `
schemaVersion: 2.2.2
metadata: { name: private }
components:
  - name: dev
    container: { image: "${image}" }
`;
  const made = await makeRepository(folder, "private", { files: { "devfile.yaml": devfile } });
  url = `file://${made.path}`;
  oneloop = lifetime.own(await Installation.start());
  const { link } = await oneloop.loopJson<{ link: string }>("users", "add", "grace");
  graces = { ...oneloop.env, ONELOOP_CONFIG_DIR: join(folder, "grace") };
  const signedIn = await grace(["login"], `${link}\n`);
  if (signedIn.exitCode !== 0) throw new Error(signedIn.stderr);
});
afterAll(() => lifetime[Symbol.asyncDispose]());

it("an open says that the image is private, and how to store a credential", async () => {
  const { exitCode, stderr } = await oneloop.loop("open", url);
  expect(exitCode).not.toBe(0);
  expect(stderr).toContain(`does not let everybody read the image ${image}`);
  expect(stderr).toContain(`loop credentials set ${registry.host}`);
});

it("with the credential of its registry it is pulled, and nothing says the secret", async () => {
  const stored = await run(
    process.execPath,
    [loop, "credentials", "set", registry.host, "--username", registryUser.username],
    { env: oneloop.env, input: registryUser.password },
  );
  expect(stored.exitCode, stored.stderr).toBe(0);
  const ws = await oneloop.loopJson<WorkspaceSummary>("open", url);
  expect(ws.state).toBe("running");
  const { events } = await oneloop.loopJson<WorkspaceDetail>("show", ws.name);
  expect(events.map(({ message }) => message).join("\n")).toContain(`Pulling ${image}`);
  expect(JSON.stringify(events) + oneloop.log()).not.toContain(registryUser.password);
});

it("somebody else does not get it because the engine has it now", async () => {
  const { exitCode, stderr } = await grace(["open", url]);
  expect(exitCode).not.toBe(0);
  expect(stderr).toContain(`does not let everybody read the image ${image}`);
});

it("who runs it already goes on after the control plane was killed and the registry is away", async () => {
  const [before] = await oneloop.loopJson<WorkspaceSummary[]>("list");
  await oneloop.kill();
  await registry.stop();
  await oneloop.start();
  const shown = await oneloop.loopJson<WorkspaceDetail>("show", before?.name ?? "");
  expect(shown).toMatchObject({ state: "running", services: [{ name: "dev", state: "running" }] });
});
