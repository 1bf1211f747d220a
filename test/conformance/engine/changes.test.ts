import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contextTar } from "../../../server/engine/docker/images/context.ts";
import { followOutput } from "../../../server/engine/docker/images/operation.ts";
import type { ChangedFile } from "../../../server/engine/services.ts";
import type { Owner, WorkspaceSpec } from "../../../server/engine/steps.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { docker, objectsWith } from "../../helpers/engine-objects.ts";
import { planOf, service } from "../../helpers/plans.ts";
import {
  containerOf,
  inside,
  startTestEngine,
  step,
  workspaceOwner,
  type TestEngine,
} from "../../helpers/test-engine.ts";
import { mirrored, noFiles } from "./mirrored.ts";

// Files of services that run are changed from outside: what an edit of a synced file does.
const lifetime = new Lifetime();
const tag = randomIds.id().slice(0, 8);
let test: TestEngine;

const image = (version: number): string => `oneloop-test/changes:${tag}-${version}`;
const dockerfile = (version: number): string => `FROM oneloop/base:bookworm
RUN mkdir -p /app/lib /data && echo ${version} > /app/version && echo old > /app/lib/old.txt
RUN chown -R 1000:1000 /app/lib && chmod 755 /app/lib
`;

/** Nobody waits so long: what ends after it was not waited for. */
const longMs = 600_000;

/** Prints what it was started with, and that it ended itself. */
const tells = [
  ...["sh", "-c"],
  "trap 'echo ended; exit 0' TERM; cat /app/version; while :; do sleep 1000 & wait $!; done",
];

/** What a service has printed, of all its starts. */
async function printed(owner: Owner): Promise<string[]> {
  const container = docker.getContainer(await containerOf(owner, "app"));
  const log = await container.logs({ stdout: true });
  // Before each line eight bytes say how long it is.
  return log
    .toString("latin1")
    .split("\n")
    .map((line) => line.slice(8))
    .filter(Boolean);
}

beforeAll(async () => {
  test = lifetime.own(await startTestEngine());
  for (const version of [1, 2]) {
    const context = contextTar([{ name: "Dockerfile", source: { content: dockerfile(version) } }]);
    const output = await docker.buildImage(context, { t: image(version), version: "1" });
    await followOutput(docker, output, () => undefined);
    lifetime.defer(
      async () => void (await docker.getImage(image(version)).remove({ force: true })),
    );
  }
});
afterAll(() => lifetime[Symbol.asyncDispose]());

/** A service with nothing that it may do, and that sleeps unless told otherwise. */
async function open({
  readOnlyRoot,
  command = ["sleep", "1000000"],
}: {
  readOnlyRoot: boolean;
  command?: readonly string[];
}) {
  const owner = workspaceOwner();
  const specOf = (version: number): WorkspaceSpec => ({
    owner,
    name: "changes",
    plan: planOf([
      service("dev", { image: "oneloop/workspace:latest" }),
      mirrored("app", {
        image: image(version),
        command: [...command],
        readOnlyRoot,
        mirror: { capabilitiesDropped: ["ALL"] },
      }),
    ]),
  });
  await test.engine.ensureStorage(specOf(1), step());
  await test.engine.ensureSandbox(specOf(1), step());
  const start = (version: number): Promise<unknown> =>
    test.engine.ensureService(
      specOf(version),
      { service: "app", ...noFiles, changing: ["/app"] },
      step(),
    );
  await start(1);
  return {
    owner,
    start,
    change: (files: readonly ChangedFile[], removed: readonly string[] = []) =>
      test.engine.changeFiles({ owner, service: "app" }, { files, removed }, step()),
    renew: (files: readonly ChangedFile[], graceMs: number, engine = test.engine) =>
      engine.renewService({ owner, service: "app" }, files, { ...step(), graceMs }),
    shell: async (script: string): Promise<string> => {
      const { output } = await inside(owner, "app", ["sh", "-c", script]);
      return output.trim();
    },
    [Symbol.asyncDispose]: async () => {
      await test.engine.remove(owner, { ...step(), storage: true });
      const left = await objectsWith(`oneloop.workspace=${owner.id}`);
      expect(left).toEqual({ containers: [], networks: [], volumes: [] });
    },
  };
}

function file(path: string, text: string, more: Partial<ChangedFile> = {}): ChangedFile {
  return {
    ...{ path, root: "/app", mode: 0o754, uid: 1000, gid: 7, modifiedMs: 1_700_000_000_000 },
    content: { kind: "bytes", bytes: Buffer.from(text) },
    ...more,
  };
}

describe.each([
  { root: "that can be written", readOnlyRoot: false },
  { root: "that is read-only", readOnlyRoot: true },
])("in a running service with a root $root", ({ readOnlyRoot }) => {
  it("a file is changed, with its owner, mode and time, in folders that are new", async () => {
    await using app = await open({ readOnlyRoot });
    await app.change([file("/app/version", "new"), file("/app/a/b/c.txt", "deep")]);
    const said = await app.shell("cd /app; cat version a/b/c.txt; stat -c '%u:%g %a %Y' a/b/c.txt");
    expect(said).toBe("newdeep1000:7 754 1700000000");
    expect(await app.shell("stat -c %a /app/a /app/a/b")).toBe("755\n755");
    expect(await app.shell("cat /app/lib/old.txt; stat -c %u /app/lib")).toBe("old\n1000");
  });

  it("a link stays one, and one in the place of a folder leads nowhere", async () => {
    await using app = await open({ readOnlyRoot });
    const link = { content: { kind: "link", to: "/data" } as const };
    await app.change([file("/app/out", "", link)]);
    expect(await app.shell("readlink /app/out")).toBe("/data");
    await app.change([file("/app/out/x", "inside")]);
    expect(await app.shell("ls /data; test -h /app/out || cat /app/out/x")).toBe("inside");
  });

  it("files and folders are removed, and nothing around them", async () => {
    await using app = await open({ readOnlyRoot });
    await app.change([file("/app/a/b.txt", "b"), file("/app/-c\nd", "odd")]);
    await app.change([], ["/app/a", "/app/-c\nd", "/app/never there"]);
    expect(await app.shell("ls /app")).toBe("lib  version");
  });

  it("the program starts again with what was saved, in the container that it has", async () => {
    await using app = await open({ readOnlyRoot, command: tells });
    const before = await containerOf(app.owner, "app");
    await expect.poll(() => printed(app.owner)).toEqual(["1"]);
    expect(await app.renew([file("/app/version", "new\n")], longMs)).toEqual({
      ...{ started: true, killed: false },
    });
    expect(await containerOf(app.owner, "app")).toBe(before);
    await expect.poll(() => printed(app.owner)).toEqual(["1", "ended", "new"]);
  });

  it("what cannot be a file's place is refused", async () => {
    await using app = await open({ readOnlyRoot });
    for (const path of ["/proc/x", "/.oneloop/bin/sh", "/"]) {
      await expect(app.change([file(path, "x")])).rejects.toMatchObject({ code: "bad-input" });
    }
  });
});

it("a read-only root stays one for the service, and a new image's files take the place of the old", async () => {
  await using app = await open({ readOnlyRoot: true });
  await app.change([file("/app/version", "changed")]);
  expect(await app.shell("echo x > /app/version; echo x > /y")).toMatch(
    /app.version: Read-only[^]*y: Read-only/,
  );
  await expect(app.change([file("/etc/x", "x")])).rejects.toMatchObject({ code: "bad-input" });
  const before = await containerOf(app.owner, "app");
  await app.start(2);
  expect(await containerOf(app.owner, "app")).not.toBe(before);
  expect(await app.shell("cat /app/version")).toBe("2");
  const { volumes } = await objectsWith(`oneloop.workspace=${app.owner.id}`);
  expect(volumes.filter((name) => name.includes("_changing-"))).toHaveLength(1);
});

it("nothing of it is a member, or in the plan that is read back", async () => {
  await using app = await open({ readOnlyRoot: true });
  await app.change([file("/app/x", "x")], ["/app/version"]);
  const { members, leftovers } = await test.engine.observe(app.owner);
  expect(members.map((one) => one.service)).toEqual(["app"]);
  expect(members[0]?.runs.mounts).toEqual([]);
  expect(leftovers).toEqual([]);
});

it("a program that TERM does nothing to is not waited for, whatever it says beforehand", async () => {
  // With a handler that is for one time only, as Node has one by itself.
  const script = "trap 'trap - TERM' TERM; echo ready; while :; do sleep 1000 & wait $!; done";
  await using app = await open({ readOnlyRoot: false, command: ["sh", "-c", script] });
  await expect.poll(() => printed(app.owner)).toEqual(["ready"]);
  expect(await app.renew([], longMs)).toEqual({ started: true, killed: true });
});

it("a program that needs its time to end has it, up to a limit", async () => {
  const script =
    "trap 'sleep 0.5; exit 0' TERM; echo ready; while :; do sleep 1000 & wait $!; done";
  await using app = await open({ readOnlyRoot: false, command: ["sh", "-c", script] });
  await expect.poll(() => printed(app.owner)).toEqual(["ready"]);
  expect(await app.renew([], longMs)).toEqual({ started: true, killed: false });
  await expect.poll(() => printed(app.owner)).toEqual(["ready", "ready"]);
  expect(await app.renew([], 1)).toEqual({ started: true, killed: true });
});

it("nothing is started in a network that this control plane has not seen become ready", async () => {
  await using app = await open({ readOnlyRoot: false, command: tells });
  const another = await test.another();
  const files = [file("/app/version", "new")];
  expect(await app.renew(files, longMs, another)).toMatchObject({ started: false });
  const { members } = await another.observe(app.owner);
  expect(members.find(({ service: name }) => name === "app")).toMatchObject({ state: "exited" });
  await app.start(1);
  expect(await app.shell("cat /app/version")).toBe("new");
});

it("a service that is not there is said to be so", async () => {
  const which = { owner: workspaceOwner(), service: "app" };
  await expect(
    test.engine.changeFiles(which, { files: [file("/app/x", "x")], removed: [] }, step()),
  ).rejects.toMatchObject({ code: "workspace-not-running" });
});
