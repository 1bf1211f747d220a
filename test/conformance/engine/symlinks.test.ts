import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { GrantSigner } from "../../../server/auth/grants.ts";
import type { ServiceFile } from "../../../server/engine/services.ts";
import type { Owner, WorkspaceSpec } from "../../../server/engine/steps.ts";
import { plan } from "../../../server/plan/plan.ts";
import type { PlannedFile, PlannedService } from "../../../server/protocol/service.ts";
import { Repositories, type Remote } from "../../../server/repo/repositories.ts";
import { readCompose } from "../../../server/sources/compose/read.ts";
import { readDevfile } from "../../../server/sources/devfile/read.ts";
import { defaultModel } from "../../../server/sources/fallback/default-model.ts";
import { readKubernetes } from "../../../server/sources/kubernetes/read.ts";
import type { ReadResult } from "../../../server/sources/result.ts";
import { Supervisors } from "../../../server/terminals/supervisors.ts";
import { systemClock } from "../../../server/util/clock.ts";
import { randomIds } from "../../../server/util/ids.ts";
import { Lifetime } from "../../../server/util/lifetime.ts";
import { readServiceFiles } from "../../../server/workspaces/mirror/service-files.ts";
import { ConfinedGit } from "../../../server/workspaces/repository-cache.ts";
import { planOf, service } from "../../helpers/plans.ts";
import { makeRepository } from "../../helpers/repositories.ts";
import {
  startTestEngine,
  step,
  workspaceOwner,
  type TestEngine,
} from "../../helpers/test-engine.ts";

// "No path inside a tree that a user can write is ever a mount source": for every way to ask for a
// mount, a link out of the tree is refused, or stays inside of the container.

const base = "oneloop/workspace:latest";
const lifetime = new Lifetime();
/** A folder of this machine that no container may see or change. */
let host: string;
const secret = "nothing of this machine";
let test: TestEngine;
let owner: Owner;
let spec: WorkspaceSpec;

beforeAll(async () => {
  host = await mkdtemp(join(tmpdir(), "oneloop-of-the-host-"));
  lifetime.defer(() => rm(host, { recursive: true, force: true }));
  await writeFile(join(host, "secret"), secret);
  test = lifetime.own(await startTestEngine());
  owner = workspaceOwner();
  const volume = { name: "data", sizeBytes: null, ephemeral: false };
  spec = { owner, name: "links", plan: planOf([service("dev")], [volume]) };
  await test.engine.ensureStorage(spec, step());
  await test.engine.ensureSandbox(spec, step());
});
afterAll(() => lifetime[Symbol.asyncDispose]());

/** Whatever was tried, the folder of this machine is as it was. */
async function hostIsUntouched(): Promise<void> {
  expect(await readdir(host)).toEqual(["secret"]);
  expect(await readFile(join(host, "secret"), "utf8")).toBe(secret);
}

/** Runs a line as root in a container of the workspace. */
function run(line: string, more: Partial<PlannedService> = {}, signal = step().signal) {
  const once = service("links", {
    ...{ command: ["sh", "-c", line], user: "0", sourcePath: "/workspace" },
    ...more,
  });
  return test.engine.runToEnd(spec, { name: "links", service: once }, { signal });
}

/** While `work` runs, a program of the workspace swaps a folder for a link to the host's, and back. */
async function whileSwapped(path: string, work: () => Promise<void>): Promise<void> {
  const end = new AbortController();
  const swap = `mkdir -p ${path}; cd ${path}/..; rm -rf real; mv ${path} real; echo own > real/own
    ln -s ${host} link; touch /workspace/swapping
    while :; do
      mv -T real ${path}; sleep 0.01; mv -T ${path} real; mv -T link ${path}; sleep 0.01; mv -T ${path} link
    done`;
  const swapping = run(swap, {}, AbortSignal.any([end.signal, AbortSignal.timeout(120_000)]));
  swapping.catch(() => undefined);
  try {
    await expect
      .poll(async () => (await run("ls /workspace")).output, { timeout: 30_000 })
      .toContain("swapping");
    await work();
  } finally {
    end.abort();
    await swapping.catch(() => undefined);
    await run("rm -rf /workspace/*");
  }
}

describe("a volume's mount, and sourceMapping", () => {
  const mounted = (path: string, more: Partial<PlannedService> = {}) =>
    run(`ls ${path}; cat ${path}/secret; touch ${path}/written`, {
      mounts: [{ volume: "data", path }],
      ...more,
    }).catch((error: unknown) => ({ exitCode: 1, output: String(error) }));

  beforeEach(() => run("rm -rf /workspace/* /workspace/.[a-z]*"));

  it.each([
    ["is a link to a folder of this machine", ""],
    ["lies below one", "/below"],
  ])("at a path of the source that %s stays inside", async (_, below) => {
    for (const target of [host, `../../../../../..${host}`]) {
      await run(`mkdir -p /workspace/app; ln -sfn ${target} /workspace/app/link`);
      const { output } = await mounted(`/workspace/app/link${below}`);
      expect(output).not.toContain(secret);
      await hostIsUntouched();
    }
    // The source itself, on a path that leads through a link of another volume.
    await run(`ln -sfn ${host} /data/link`, { mounts: [{ volume: "data", path: "/data" }] });
    const { output } = await mounted("/data", { sourcePath: `/data/link${below}` });
    expect(output).not.toContain(secret);
    await hostIsUntouched();
  });

  it("at a path that becomes such a link during the start stays inside, or does not start", async () => {
    let started = 0;
    await whileSwapped("/workspace/swapped", async () => {
      for (let count = 0; count < 8; count += 1) {
        const { output } = await mounted("/workspace/swapped");
        expect(output).not.toContain(secret);
        if (!output.includes("Error")) started += 1;
      }
      await hostIsUntouched();
    });
    expect(started).toBeGreaterThan(0);
  });
});

describe("a folder of the workspace's own volume, which a build reads", () => {
  const read = async (path: string): Promise<string> => {
    const which = { owner, volume: "source", path };
    const archive = await test.engine.readFolder(which, step()).catch((error: unknown) => {
      expect(error).toMatchObject({ code: "image-unavailable" });
      return Readable.from(["nothing"]);
    });
    return (await buffer(archive)).toString("latin1");
  };

  it("that is a link, or lies below one, is followed within the volume only", async () => {
    await run(
      `cd /workspace; mkdir -p real/sub; echo own > real/sub/own; ln -s real inside; ln -s ${host} out
       ln -s ../../../../../..${host} up; mkdir in; ln -s ${host}/secret in/file`,
    );
    expect(await read("inside/sub")).toContain("own");
    expect(await read("inside")).not.toContain("own");
    for (const path of ["out", "up", "in", "in/file", `in/../../..${host}`, "out/secret"]) {
      expect(await read(path), path).not.toContain(secret);
    }
    await run("rm -rf /workspace/*");
  });

  it("that becomes such a link while it is read gives nothing of this machine", async () => {
    let own = 0;
    await whileSwapped("/workspace/swapped", async () => {
      for (let count = 0; count < 25; count += 1) {
        const text = await read("swapped");
        expect(text).not.toContain(secret);
        if (text.includes("own")) own += 1;
      }
    });
    expect(own).toBeGreaterThan(0);
  });
});

describe("a build", () => {
  /** What an image has at `/got`, or why it was not built. */
  async function built(dockerfile: string, links: Readonly<Record<string, string>>) {
    const archive = pack();
    for (const [name, linkname] of Object.entries(links)) {
      archive.entry({ name, type: "symlink", linkname });
    }
    if (links["Dockerfile"] === undefined) {
      archive.entry({ name: "Dockerfile" }, `FROM ${base}\nUSER root\n${dockerfile}\n`);
    }
    archive.entry({ name: "own" }, "own");
    archive.finalize();
    const request = { owner, dockerfile: "Dockerfile", args: {}, target: null };
    try {
      const made = await test.engine.buildImage(
        { ...request, archive: Readable.from(archive) },
        step(),
      );
      return (await run("find /got -exec cat {} +", { image: made.ref, sourcePath: null })).output;
    } catch (error) {
      expect(error).toMatchObject({
        code: expect.stringMatching(/image-unavailable|bad-input|devfile-invalid/) as unknown,
      });
      return String(error);
    }
  }

  it.each([
    ["COPY of a link to a file", "COPY link /got", (to: string) => ({ link: `${to}/secret` })],
    ["ADD of a link to a file", "ADD link /got", (to: string) => ({ link: `${to}/secret` })],
    ["COPY of a link to a folder", "COPY link /got", (to: string) => ({ link: to })],
    ["COPY of what is in such a folder", "COPY link/ /got/", (to: string) => ({ link: to })],
    ["COPY through a link", "COPY link/secret /got", (to: string) => ({ link: to })],
    ["ADD through a link", "ADD link/secret /got", (to: string) => ({ link: to })],
    ["COPY of all", "COPY . /got/", (to: string) => ({ link: to, file: `${to}/secret` })],
    ["a Dockerfile that is a link", "", (to: string) => ({ Dockerfile: `${to}/secret` })],
    [
      "a .dockerignore that is a link",
      "COPY . /got/",
      (to: string) => ({ ".dockerignore": `${to}/secret` }),
    ],
  ])("has nothing of this machine by %s", async (_, dockerfile, links) => {
    for (const to of [host, `../../../../../../..${host}`]) {
      expect(await built(dockerfile, links(to))).not.toContain(secret);
    }
    await hostIsUntouched();
  });

  it("takes the context's own files", async () => {
    expect(await built("COPY link /got", { link: "own" })).toBe("own");
  });
});

describe("files of the repository in a service of production", () => {
  let remote: Remote;
  let commit: string;
  let repositories: Repositories;

  beforeAll(async () => {
    const signer = new GrantSigner("s".repeat(32), { clock: systemClock, ids: randomIds });
    const supervisors = new Supervisors(test.engine, signer);
    const options = { helperImage: test.images.helper, publicKey: signer.publicKey };
    repositories = new Repositories(new ConfinedGit(test.engine, supervisors, options));
    const folder = await mkdtemp(join(tmpdir(), "oneloop-links-"));
    lifetime.defer(() => rm(folder, { recursive: true, force: true }));
    const made = await makeRepository(folder, "links", {
      files: { "conf/own": "own", "devfile.yaml": "x" },
      prepare: async (tree) => {
        await symlink(join(host, "secret"), join(tree, "link.yaml"));
        await symlink(host, join(tree, "folder"));
        await symlink(host, join(tree, "conf/below"));
      },
    });
    const url = `file://${made.path}`;
    remote = { url, key: url, localFolder: made.path };
    commit = made.commit;
    await repositories.ensureCommit(remote, { ref: null, commit }, step().signal);
  });

  const planned = (path: string, at = "/files"): PlannedFile => ({
    path: at,
    mode: null,
    content: { kind: "repository", path },
  });
  const read = (file: PlannedFile): Promise<ServiceFile[]> =>
    readServiceFiles(mirrored([file]), {
      checkout: { url: remote.url, ref: null, commit, path: "/workspace/links" },
      archive: (which, signal) => repositories.archive(which, signal),
      signal: step().signal,
    });
  const mirrored = (files: PlannedFile[]): PlannedService => {
    const nothing = { platform: null, workingDir: null, readiness: null, liveness: null };
    return service("web", {
      ...{ command: ["sleep", "600"], user: "0", dedicatedPod: true, sourcePath: null },
      mounts: [{ volume: "data", path: "/data" }],
      mirror: {
        ...{ role: "service", partOf: null, build: null, ...nothing, startup: null, restart: "no" },
        ...{ capabilitiesAdded: [], capabilitiesDropped: [], stopGraceSeconds: 0, names: [] },
        ...{ dependsOn: [], files, tmpfs: [], composedEnv: {} },
      },
    });
  };

  it("a link is no file of a configuration: not a parent, an env file, a Dockerfile", async () => {
    const paths = [
      "link.yaml",
      "folder",
      "folder/secret",
      "folder/",
      "conf/below/secret",
      "conf/own",
    ];
    const found = await repositories.list(remote, { commit, paths }, step().signal);
    expect(found.map(({ path }) => path)).toEqual(["conf/own"]);
  });

  it("a link is no mount of a compose file, and no context of a build", async () => {
    for (const path of [
      "link.yaml",
      "folder",
      "folder/secret",
      "conf/below",
      "conf/below/secret",
    ]) {
      await expect(read(planned(path)), path).rejects.toMatchObject({ code: "bad-input" });
      const which = { key: remote.key, commit, path };
      await expect(repositories.archive(which, step().signal), path).rejects.toMatchObject({
        code: "checkout-failed",
      });
    }
  });

  it("a link in a folder that is mounted is a link in the container, which leads nowhere", async () => {
    const files = [planned("conf")];
    const web = mirrored(files);
    const own: WorkspaceSpec = {
      ...spec,
      plan: { ...spec.plan, services: [...spec.plan.services, web] },
    };
    await test.engine.ensureSandbox(own, step());
    const start = (readFiles: () => Promise<readonly ServiceFile[]>, filesKey: string) =>
      test.engine.ensureService(own, { service: "web", filesKey, readFiles }, step());
    await start(() => read(planned("conf")), "1");
    const exec = (...command: string[]) =>
      test.engine.execInService({ owner, service: "web", command }, step());
    expect(await exec("sh", "-c", "cat /files/own && [ -L /files/below ]")).toBe(0);
    expect(await exec("sh", "-c", `cat /files/below/secret || cat ${host}/secret`)).not.toBe(0);

    // Through a link that a volume has, which the workspace wrote; and through one of the image.
    await run(`ln -sfn ${host} /data/link`, { mounts: [{ volume: "data", path: "/data" }] });
    const bytes = { kind: "bytes", bytes: Buffer.from("planted") } as const;
    const put = { path: "/data/link/planted", mode: 0o644, content: bytes };
    await start(() => Promise.resolve([put]), "2").catch((error: unknown) =>
      expect(error).toMatchObject({ code: expect.any(String) as unknown }),
    );
    await hostIsUntouched();
    const through = [
      { path: "/conf", mode: 0o644, content: (await read(planned("conf")))[0]?.content ?? bytes },
      { ...put, path: "/conf/below/planted" },
    ];
    await expect(start(() => Promise.resolve(through), "3")).rejects.toMatchObject({
      code: "bad-input",
    });
    await hostIsUntouched();
  });
});

describe("what a configuration asks of this machine is in no plan", () => {
  const checkout = { url: "", ref: null, commit: "0".repeat(40), path: "/workspace/app" };
  /** All that would run, without the words about what does not. */
  const planOfAll = (result: ReadResult): { runs: string; leftOut: string[] } => {
    if (!result.ok) return { runs: "", leftOut: result.diagnostics.map(({ message }) => message) };
    const made = plan(defaultModel(), result.model, { checkout });
    const { leftOut, because: _, ...runs } = made;
    return {
      runs: JSON.stringify(runs),
      leftOut: leftOut.map(({ what, why }) => `${what}: ${why}`),
    };
  };
  const paths = ["/etc/elsewhere", "~/elsewhere", "../elsewhere", "a/../../elsewhere"];

  it.each([
    ["a mount of compose", (path: string) => `volumes: ["${path}:/x"]`],
    ["a long one", (path: string) => `volumes: [{type: bind, source: "${path}", target: /x}]`],
    ["an env file", (path: string) => `env_file: ["${path}"]`],
    ["a build's context", (path: string) => `build: {context: "${path}"}`],
    ["a Dockerfile", (path: string) => `build: {context: ., dockerfile: "${path}"}`],
    ["a config", (path: string) => `configs: [c]\nconfigs: {c: {file: "${path}"}}`],
    ["what it extends", (path: string) => `extends: {file: "${path}", service: x}`],
  ])("%s out of the repository is left out or refused, by name", (_, ask) => {
    for (const path of paths) {
      const asked: string[] = [];
      const lines = ask(path).split("\nconfigs:");
      const text = `services: {web: {image: x, ${lines[0]}}}\n${lines[1] === undefined ? "" : `configs:${lines[1]}\n`}`;
      const { runs, leftOut } = planOfAll(
        readCompose(["compose.yaml"], {
          read: (file) => {
            asked.push(file);
            return file === "compose.yaml" ? text : null;
          },
        }),
      );
      expect(runs, text).not.toContain("elsewhere");
      expect(leftOut, text).not.toEqual([]);
      // Nor is it looked at.
      for (const file of asked) expect(file).toMatch(/^(?![/~])(?!.*\.\.)/);
    }
  });

  it("a hostPath of Kubernetes, and the file of a parent, a Dockerfile, a mount of a devfile", () => {
    const pod = `apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  volumes: [{name: v, hostPath: {path: /etc/elsewhere}}]
  containers: [{name: web, image: x, volumeMounts: [{name: v, mountPath: /x}]}]
`;
    const asked = planOfAll(readKubernetes([{ path: "k8s.yaml", text: pod }]));
    expect(asked.runs).not.toContain("elsewhere");
    expect(asked.leftOut.join("\n")).toMatch(
      /host-path \(\/etc\/elsewhere\), which no workspace gives/,
    );
    const head = "schemaVersion: 2.2.2\n";
    for (const path of ["/etc/elsewhere", "../elsewhere", "a/../../elsewhere"]) {
      const parent = readDevfile(`${head}parent: {uri: ${path}}\n`, "devfile.yaml");
      expect(parent).toMatchObject({ ok: false, diagnostics: [{ code: "bad-uri" }] });
      for (const dockerfile of [`{uri: ${path}}`, `{uri: Dockerfile, buildContext: ${path}}`]) {
        const text = `${head}components: [{name: a, container: {image: b}}, {name: i, image: {imageName: b, dockerfile: ${dockerfile}}}]\n`;
        const read = readDevfile(text, "devfile.yaml");
        if (!read.ok) throw new Error(JSON.stringify(read.diagnostics));
        expect(plan(read.model, null, { checkout }).builds, text).toBeUndefined();
      }
    }
    for (const at of ["sourceMapping: ../x", "volumeMounts: [{name: v, path: /a/../../x}]"]) {
      const text = `${head}components: [{name: v, volume: {}}, {name: a, container: {image: b, ${at}}}]\n`;
      expect(readDevfile(text, "devfile.yaml")).toMatchObject({
        ok: false,
        diagnostics: [{ code: "bad-path" }],
      });
    }
  });
});
